"""Define the options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tritonocr_backend.repository.network_config import Precision

PipelineFile = Annotated[
    Path | None,
    typer.Option(
        help="Pipeline in PaddleX's format (OCR.yaml); `tritonocr config` prints an example.",
        show_default="the default pipeline",
    ),
]

MoreModels = Annotated[
    list[str] | None, typer.Option(help="Serve one more model, for requests that name it; repeatable.")
]

ComputedIn = Annotated[Precision, typer.Option(help="auto: bf16 if the CPU supports it, f16 on NVIDIA GPUs.")]

OcrInstances = Annotated[
    int | None,
    typer.Option(
        min=1, help="Number of files that are read at the same time.", show_default="2 per core, 4 to 16"
    ),
]

RecognitionInstances = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Recognition processes per device.",
        show_default="1 per 16 cores, 2 on a GPU",
    ),
]
