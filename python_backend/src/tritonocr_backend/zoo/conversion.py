"""Convert Paddle models to ONNX with paddle2onnx, in a separate virtual environment.

Each release of paddle2onnx reads one generation of Paddle files, and requires packages that conflict with the
server's packages.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

from tritonocr_backend.core.paddle_files import PADDLE_WEIGHTS
from tritonocr_backend.zoo import cache, layout, probe
from tritonocr_backend.zoo.errors import ModelFormatError
from tritonocr_backend.zoo.inference_config import InferenceConfig

TOLERANCE = 1e-3
"""Largest allowed difference of an output value between the Paddle model and the ONNX model."""

_COMMON = ("setuptools", "packaging")
_REQUIREMENTS = {
    "inference.pdmodel": ("paddle2onnx==1.3.1", "paddlepaddle==2.6.2", "onnx==1.16.2", "numpy<2", *_COMMON),
    "inference.json": ("paddle2onnx==2.1.0", "paddlepaddle==3.2.2", "onnx<1.18", *_COMMON),
}
_OPSET = "14"


def convert(paddle_dir: Path, onnx_dir: Path, config: InferenceConfig) -> None:
    """Convert the Paddle model in `paddle_dir` to ONNX, and compare the outputs of both models.

    Args:
        paddle_dir: folder of the Paddle model.
        onnx_dir: folder for the ONNX model.
        config: content of the model's `inference.yml`.

    Raises:
        ModelFormatError: the environment cannot be created, the conversion fails, or the outputs differ.
    """
    program = layout.paddle_program(paddle_dir)
    onnx_dir.mkdir(parents=True, exist_ok=True)
    # By default paddle2onnx 2 installs an optimiser; the inference engines optimise the graph themselves.
    without_optimiser = ["--optimize_tool", "None"] if program.suffix == ".json" else []
    _run(
        [
            *_paddle2onnx(_environment(program.name)),
            *("--opset_version", _OPSET),
            *("--model_dir", str(paddle_dir), "--model_filename", program.name),
            *("--params_filename", PADDLE_WEIGHTS, "--save_file", str(onnx_dir / layout.ONNX)),
            *without_optimiser,
        ],
        "paddle2onnx",
    )
    if not (onnx_dir / layout.ONNX).exists():  # paddle2onnx reports success even if it writes no file
        raise ModelFormatError("paddle2onnx wrote no ONNX file")
    shutil.copy(paddle_dir / layout.CONFIG, onnx_dir / layout.CONFIG)
    compare(paddle_dir, onnx_dir, config)


def compare(paddle_dir: Path, onnx_dir: Path, config: InferenceConfig) -> None:
    """Run the Paddle model and the ONNX model on the same images and compare the outputs.

    Raises:
        ModelFormatError: the shapes differ, or a value differs by more than TOLERANCE.
    """
    images = probe.sample(config)
    original, converted = probe.run(paddle_dir, "paddle", images), probe.run(onnx_dir, "onnx", images)
    if original.shape != converted.shape:
        raise ModelFormatError(
            f"the converted network returns shape {list(converted.shape)}, expected {list(original.shape)}"
        )
    difference = float(np.abs(original - converted).max())
    if not difference <= TOLERANCE:
        raise ModelFormatError(
            f"the converted network differs from the original by {difference:.2g}, the limit is {TOLERANCE:g}"
        )


def _environment(program: str) -> Path:
    """Return the virtual environment that converts this kind of file; create it at the first use."""
    requirements = _REQUIREMENTS[program]
    path = cache.home() / "environments" / requirements[0].replace("==", "-")
    with cache.locked(path.name):
        if not (path / "complete").exists():
            _run([sys.executable, "-m", "venv", "--clear", str(path)], "venv")
            _run([str(path / "bin" / "pip"), "install", "--quiet", *requirements], "pip install")
            (path / "complete").touch()
    return path


def _paddle2onnx(environment: Path) -> tuple[str, str]:
    # Start the script with the interpreter: the script's first line may contain an outdated path.
    return str(environment / "bin" / "python"), str(environment / "bin" / "paddle2onnx")


def _run(command: list[str], what: str) -> None:
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        lines = [line for line in (run.stdout + run.stderr).splitlines() if "ERROR" in line]
        reason = lines[0].strip() if lines else f"status {run.returncode}"
        raise ModelFormatError(f"{what} failed: {reason}")
