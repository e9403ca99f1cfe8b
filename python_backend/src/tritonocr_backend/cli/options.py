"""Define the options that several commands share, and load the pipeline that they choose."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tritonocr_backend.cli.reporting import say
from tritonocr_backend.repository import pipeline_config
from tritonocr_backend.repository.pipeline_config import PipelineConfig
from tritonocr_backend.repository.serving_settings import Precision
from tritonocr_common import environment
from tritonocr_common.presets import PRESETS_HELP, Preset, preset_file

PipelineFile = Annotated[
    Path | None,
    typer.Option(
        help="Pipeline in PaddleX's format (OCR.yaml); `tritonocr config` prints an example.",
        show_default="the default pipeline",
    ),
]

PresetName = Annotated[
    Preset | None,
    typer.Option(
        "--preset",
        envvar=environment.PRESET,
        help=f"Preset of models. {PRESETS_HELP}. A preset does not change the steps of the pipeline.",
        show_default="paddlex",
    ),
]

MoreModels = Annotated[
    list[str] | None,
    typer.Option(help="Additional model, for requests that name it or its language; repeatable."),
]

ComputedIn = Annotated[
    Precision,
    typer.Option(help="Precision of the networks. auto: bf16 if the CPU supports it, f16 on NVIDIA GPUs."),
]

OcrInstances = Annotated[
    int | None,
    typer.Option(
        min=1, help="Number of files that are read at the same time.", show_default="2 per core, 4 to 64"
    ),
]

RecognitionInstances = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Number of recognition processes per device.",
        show_default="1 per 16 cores, 2 on a GPU",
    ),
]


def load_pipeline(file: Path | None, preset: Preset | None) -> PipelineConfig:
    """Return the pipeline of `--pipeline` or `--preset`, and print the warnings about its file.

    Raises:
        typer.BadParameter: both are given.
        PipelineConfigError: the file cannot be read or contains an invalid value.
    """
    if file and preset:
        raise typer.BadParameter(
            f"--pipeline {file} and --preset {preset} (or {environment.PRESET}) both choose the models; "
            "use one of them"
        )
    file = preset_file(preset) if preset else file
    config = pipeline_config.load(file) if file else pipeline_config.default()
    for warning in config.warnings:
        say(f"tritonocr: {warning}", err=True)
    return config
