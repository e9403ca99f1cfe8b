"""Paddle to ONNX with paddle2onnx, in an environment of its own.

Its releases each understand one generation of Paddle files and pin packages that the server cannot have.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

from tritonocr_backend.zoo import cache, layout, probe
from tritonocr_backend.zoo.errors import ModelFormatError
from tritonocr_backend.zoo.inference_config import InferenceConfig

TOLERANCE = 1e-3
"""Largest difference of one output value between the original and its conversion."""

_COMMON = ("setuptools", "packaging")
_REQUIREMENTS = {
    "inference.pdmodel": ("paddle2onnx==1.3.1", "paddlepaddle==2.6.2", "onnx==1.16.2", "numpy<2", *_COMMON),
    "inference.json": ("paddle2onnx==2.1.0", "paddlepaddle==3.2.2", "onnx<1.18", *_COMMON),
}
_OPSET = "14"


def convert(paddle_dir: Path, onnx_dir: Path, config: InferenceConfig) -> None:
    """Convert the Paddle model of `paddle_dir` into `onnx_dir`, and compare the two on the same images.

    Raises:
        ModelFormatError: The environment cannot be made, the conversion fails, or its results differ.
    """
    program = layout.paddle_program(paddle_dir)
    onnx_dir.mkdir(parents=True, exist_ok=True)
    # On its own paddle2onnx 2 would install an optimiser; the engines optimise by themselves.
    without_optimiser = ["--optimize_tool", "None"] if program.suffix == ".json" else []
    _run(
        [
            *_paddle2onnx(_environment(program.name)),
            *("--opset_version", _OPSET),
            *("--model_dir", str(paddle_dir), "--model_filename", program.name),
            *("--params_filename", layout.PADDLE_WEIGHTS, "--save_file", str(onnx_dir / layout.ONNX)),
            *without_optimiser,
        ],
        "paddle2onnx",
    )
    if not (onnx_dir / layout.ONNX).exists():  # it ends with status 0 all the same
        raise ModelFormatError("paddle2onnx wrote no file")
    shutil.copy(paddle_dir / layout.CONFIG, onnx_dir / layout.CONFIG)
    compare(paddle_dir, onnx_dir, config)


def compare(paddle_dir: Path, onnx_dir: Path, config: InferenceConfig) -> None:
    """Run the original and its conversion on the same images.

    Raises:
        ModelFormatError: Some value differs by more than TOLERANCE.
    """
    images = probe.sample(config)
    original, converted = probe.run(paddle_dir, "paddle", images), probe.run(onnx_dir, "onnx", images)
    if original.shape != converted.shape:
        raise ModelFormatError(
            f"the converted network gives {list(converted.shape)}, the original {list(original.shape)}"
        )
    difference = float(np.abs(original - converted).max())
    if not difference <= TOLERANCE:
        raise ModelFormatError(
            f"the converted network differs from the original by {difference:.2g}, allowed is {TOLERANCE:g}"
        )


def _environment(program: str) -> Path:
    """Return the virtual environment for converting a format; create the environment at the first use."""
    requirements = _REQUIREMENTS[program]
    path = cache.home() / "environments" / requirements[0].replace("==", "-")
    with cache.locked(path.name):
        if not (path / "complete").exists():
            _run([sys.executable, "-m", "venv", "--clear", str(path)], "venv")
            _run([str(path / "bin" / "pip"), "install", "--quiet", *requirements], "pip install")
            (path / "complete").touch()
    return path


def _paddle2onnx(environment: Path) -> tuple[str, str]:
    # By its interpreter: the script's own first line names the path at which the environment was made.
    return str(environment / "bin" / "python"), str(environment / "bin" / "paddle2onnx")


def _run(command: list[str], what: str) -> None:
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        lines = [line for line in (run.stdout + run.stderr).splitlines() if "ERROR" in line]
        reason = lines[0].strip() if lines else f"status {run.returncode}"
        raise ModelFormatError(f"{what} failed: {reason}")
