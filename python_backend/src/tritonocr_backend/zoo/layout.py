"""Define PaddleX's layout of a model directory: `inference.yml` and the files of the network."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from tritonocr_backend.core.paddle_files import PADDLE_PROGRAMS, PADDLE_WEIGHTS
from tritonocr_backend.zoo.errors import ModelFormatError

FileFormat = Literal["onnx", "paddle"]

CONFIG = "inference.yml"
ONNX = "inference.onnx"
FILES = frozenset({CONFIG, ONNX, *PADDLE_PROGRAMS, PADDLE_WEIGHTS})


def file_format(model_dir: Path) -> FileFormat:
    """Return the format of a model directory; ONNX if it contains both formats.

    Raises:
        ModelFormatError: a file is missing; the message names the file.
    """
    if not model_dir.is_dir():
        raise ModelFormatError(f"{model_dir} is not a directory")
    present = {name for name in FILES if (model_dir / name).is_file()}
    if CONFIG not in present:
        raise ModelFormatError(f"{model_dir} has no {CONFIG}")
    if ONNX in present:
        return "onnx"
    if present.isdisjoint(PADDLE_PROGRAMS):
        raise ModelFormatError(f"{model_dir} has none of {ONNX}, {', '.join(PADDLE_PROGRAMS)}")
    if PADDLE_WEIGHTS not in present:
        raise ModelFormatError(f"{model_dir} has no {PADDLE_WEIGHTS}")
    return "paddle"


def paddle_program(model_dir: Path) -> Path:
    """Return the Paddle program of a model directory; the JSON format is preferred to the older format."""
    return next(path for name in PADDLE_PROGRAMS if (path := model_dir / name).is_file())
