"""Define `tritonocr config`, which prints the configuration of the default pipeline or of a preset."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from tritonocr_backend.repository.pipeline_config import default_text
from tritonocr_common.presets import Preset, preset_file

FILE_NAME = "OCR.yaml"


def config(
    save_path: Annotated[
        Path | None,
        typer.Option(
            "--save_path",
            "--save-path",
            help="Directory or .yaml file to write; the default is standard output.",
        ),
    ] = None,
    preset: Annotated[
        Preset | None,
        typer.Option(
            help="Print the short OCR.yaml of a preset instead, which only names its models.",
            show_default="the default pipeline with all settings",
        ),
    ] = None,
    get_pipeline_config: Annotated[  # PaddleX's spelling of this command
        Literal["OCR"], typer.Option("--get_pipeline_config", hidden=True)
    ] = "OCR",
) -> None:
    """Print the default pipeline in PaddleX's format. Edit it and serve it with `serve --pipeline`.

    Examples:
        tritonocr config > OCR.yaml

        tritonocr config --save_path pipelines/

        tritonocr config --preset fast
    """
    text = preset_file(preset).read_text(encoding="utf-8") if preset else default_text()
    if save_path is None:
        typer.echo(text, nl=False)
        return
    path = save_path if save_path.suffix in (".yaml", ".yml") else save_path / FILE_NAME
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    typer.echo(str(path))
