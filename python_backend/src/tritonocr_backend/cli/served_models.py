"""Write the model repository of `tritonocr serve`, at the start and for each reload."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tritonocr_backend.cli.options import load_pipeline
from tritonocr_backend.cli.reporting import progress_bar
from tritonocr_backend.core.limits import parse_limits
from tritonocr_backend.repository import serving_file
from tritonocr_backend.repository.cpu_sharing import cores_of_each
from tritonocr_backend.repository.pipeline_config import PipelineConfig
from tritonocr_backend.repository.prepare import prepare_repository
from tritonocr_backend.repository.serving_settings import AdapterModel, Engine, Precision, ServingSettings
from tritonocr_common.presets import Preset


@dataclass(frozen=True)
class ServedModels:
    """The values of the command line that decide what the repository contains.

    The methods read the files of `--pipeline` and `--serving` again on each call, as a reload requires.

    Attributes:
        pipeline: file of `--pipeline`.
        preset: name of `--preset`.
        models: names of `--model`.
        serving: file of `--serving`.
        device: PaddleX's device name.
        engine: inference engine; `auto` keeps the value of the file.
        precision: precision of the networks; `auto` keeps the value of the file.
        instances: number of instances by model or role; None keeps the value of the file.
        adapters: names of `--adapter`.
        exact: whether pages are processed exactly as PaddleX does.
        limits: values of `--limit`, each NAME=VALUE.
        replicas: number of servers that share the cores.
    """

    pipeline: Path | None
    preset: Preset | None
    models: Sequence[str]
    serving: Path | None
    device: str
    engine: Engine
    precision: Precision
    instances: Mapping[str, int | None]
    adapters: Sequence[AdapterModel]
    exact: bool
    limits: Sequence[str]
    replicas: int

    def pipeline_config(self) -> PipelineConfig:
        """Return the pipeline of `--pipeline` or `--preset`; see `load_pipeline`."""
        return load_pipeline(self.pipeline, self.preset)

    def write_repository(self, target: Path, config: PipelineConfig) -> Path:
        """Write the repository of a pipeline; see `prepare_repository`."""
        return prepare_repository(
            target,
            config,
            more_models=self.models,
            serving=self._serving_settings(),
            exact=self.exact,
            limits=parse_limits(self.limits),
            progress_of=progress_bar,
        )

    def _serving_settings(self) -> ServingSettings:
        """Return the serving settings; values of the command line override values of the file."""
        settings = serving_file.read(self.serving) if self.serving else ServingSettings()
        counts = {name: count for name, count in self.instances.items() if count}
        stated = {"engine": self.engine, "precision": self.precision}
        names: dict[str, Any] = {name: value for name, value in stated.items() if value != "auto"}
        return replace(
            settings,
            device=self.device,
            cores=cores_of_each(self.replicas),
            instances={**settings.instances, **counts},
            adapters=tuple(self.adapters),
            **names,
        )
