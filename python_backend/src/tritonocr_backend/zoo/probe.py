"""Run a network once to check that its outputs fit its role."""

from __future__ import annotations

import multiprocessing
import warnings
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from tritonocr_backend.core.contracts import Role
from tritonocr_backend.core.paddle_files import PADDLE_WEIGHTS
from tritonocr_backend.zoo import dictionary, layout
from tritonocr_backend.zoo.errors import ModelFormatError
from tritonocr_backend.zoo.inference_config import InferenceConfig
from tritonocr_backend.zoo.layout import FileFormat

_BATCH = 2
_ANY_SIZE = {Role.TEXT_DETECTION: (64, 96), Role.DOC_UNWARPING: (712, 488), Role.TEXT_RECOGNITION: (48, 320)}


def sample(config: InferenceConfig) -> NDArray[np.float32]:
    """Return a fixed, normalised batch in the input shape of the role: float32 [B, 3, H, W]."""
    height, width = (
        own or free for own, free in zip(config.input_shape, _free_size(config.role), strict=True)
    )
    batch = 1 if config.role is Role.DOC_UNWARPING else _BATCH
    return np.random.default_rng(0).random((batch, 3, height, width), dtype=np.float32)


def _free_size(role: Role) -> tuple[int, int]:
    return _ANY_SIZE.get(role, (0, 0))


def run(model_dir: Path, file_format: FileFormat, images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the first output of a network for float32 images [B, 3, H, W].

    Raises:
        ModelFormatError: the network cannot be loaded, has several inputs, or fails on these images.
    """
    try:
        output = (_run_onnx if file_format == "onnx" else _run_paddle_in_subprocess)(model_dir, images)
    except ModelFormatError:
        raise
    except BrokenProcessPool:
        raise ModelFormatError("Paddle crashes when it loads the network") from None
    except ImportError as error:
        raise ModelFormatError(
            f"Paddle files need Paddle: pip install 'tritonocr-server[paddle]' ({error})"
        ) from None
    except Exception as error:  # the errors of both libraries have no common base class
        reason = " ".join(str(error).split())
        raise ModelFormatError(f"the network does not run on {list(images.shape)}: {reason:.300}") from None
    return np.asarray(output, dtype=np.float32)


def check(model_dir: Path, file_format: FileFormat, config: InferenceConfig) -> None:
    """Run a network once and check its output.

    Raises:
        ModelFormatError: the network cannot be run, or its output does not fit its role.
    """
    images = sample(config)
    output = run(model_dir, file_format, images)
    batch, _, height, width = images.shape
    if config.role is Role.DOC_UNWARPING:
        _expect_unwarping(output)
    elif config.role is Role.TEXT_DETECTION:
        _expect_shape(config.role, output, [batch, 1, height, width])
        if output.min() < 0 or output.max() > 1:
            raise ModelFormatError(
                f"a text_detection network: got values {output.min():g} to {output.max():g}, expected 0 to 1"
            )
    elif config.role is Role.TEXT_RECOGNITION:
        if output.ndim != 3 or output.shape[0] != batch:
            raise ModelFormatError(
                f"a text_recognition network: got output {list(output.shape)}, expected [B, T, classes]"
            )
        dictionary.check(config.characters, output.shape[2])
        _expect_distribution(config.role, output)
    else:
        _expect_shape(config.role, output, [batch, len(config.labels)])
        _expect_distribution(config.role, output)


def _expect_shape(role: Role, output: NDArray[np.float32], shape: list[int]) -> None:
    if list(output.shape) != shape:
        raise ModelFormatError(f"a {role.value} network: got output {list(output.shape)}, expected {shape}")


def _expect_distribution(role: Role, output: NDArray[np.float32]) -> None:
    if not np.allclose(output.sum(axis=-1), 1, atol=1e-2):
        raise ModelFormatError(
            f"a {role.value} network must end in a softmax: the sum of the output's classes is not 1"
        )


def _expect_unwarping(output: NDArray[np.float32]) -> None:
    if output.ndim != 4 or output.shape[1] not in (2, 3):
        raise ModelFormatError(
            f"a doc_unwarping network: got output {list(output.shape)}, "
            "expected [B, 3, H, W] (an image) or [B, 2, h, w] (a grid)"
        )


def _run_onnx(model_dir: Path, images: NDArray[np.float32]) -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # the exception contains the same text
    session = onnxruntime.InferenceSession(
        str(model_dir / layout.ONNX), options, providers=["CPUExecutionProvider"]
    )
    names = [value.name for value in session.get_inputs()]
    _expect_one_input(names)
    half = session.get_inputs()[0].type == "tensor(float16)"
    return session.run(None, {names[0]: images.astype(np.float16) if half else images})[0]


def _run_paddle_in_subprocess(model_dir: Path, images: NDArray[np.float32]) -> Any:
    """Run Paddle in a subprocess, because a broken file crashes the process that loads it."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        return process.submit(_run_paddle, model_dir, images).result()


def _run_paddle(model_dir: Path, images: NDArray[np.float32]) -> Any:
    with warnings.catch_warnings():
        # Paddle warns on import about a compiler cache that only its developers need.
        warnings.simplefilter("ignore")
        from paddle import inference
    config = inference.Config(str(layout.paddle_program(model_dir)), str(model_dir / PADDLE_WEIGHTS))
    config.disable_glog_info()
    config.disable_gpu()
    predictor = inference.create_predictor(config)
    names = predictor.get_input_names()
    _expect_one_input(names)
    predictor.get_input_handle(names[0]).copy_from_cpu(images)
    predictor.run()
    return predictor.get_output_handle(predictor.get_output_names()[0]).copy_to_cpu()


def _expect_one_input(names: list[str]) -> None:
    if len(names) != 1:
        raise ModelFormatError(f"a network must have one input, got {len(names)}: {', '.join(names)}")
