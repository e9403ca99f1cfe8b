"""Encode a request to the `ocr` model as tensors. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._exceptions import InvalidInputError
from .._options import OPTIONS
from .output_tensors import (
    ALWAYS,
    LINE_SOURCES,
    NUMPY_DTYPES,
    PAGE_IMAGES,
    PER_CHARACTER,
    PER_WORD,
)

MAX_INPUT_BYTES = 2**31 - 2**20  # gRPC's largest message, without the options


@dataclass(frozen=True, eq=False)
class Tensor:
    """An input tensor; `datatype` is Triton's name of the type, such as FP32."""

    name: str
    datatype: str
    array: NDArray[Any]


@dataclass(frozen=True, eq=False)
class Request:
    """One inference request, for any transport.

    Attributes:
        model_name: name of the Triton model.
        request_id: the request's name in the server's log.
        inputs: input tensors.
        outputs: names of the requested output tensors.
        is_streamed: whether the model is decoupled and sends one response per page.
        headers: sent in addition to the client's own.
    """

    model_name: str
    request_id: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[str, ...]
    is_streamed: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)


def encode_request(
    file: bytes | NDArray[np.uint8],
    options: Mapping[str, Any],
    *,
    request_id: str,
    model_name: str = "ocr",
    is_streamed: bool = False,
    headers: Mapping[str, str] | None = None,
) -> Request:
    """Build the request for one file or image.

    Args:
        file: the bytes of an image or PDF file, or the pixels of an image uint8: [H,W,3] BGR, or [H,W] or
            [H,W,1] grey.
        options: checked options, without None.
        request_id: the request's name in the server's log.
        model_name: name of the Triton model, `ocr` or `ocr_stream`.
        is_streamed: whether the model is decoupled and sends one response per page.
        headers: sent in addition to the client's own.

    Raises:
        InvalidInputError: the file is empty, or the pixels have another type or shape.
    """
    inputs = [_input_tensor(file), *(_option_tensor(name, value) for name, value in options.items())]
    return Request(model_name, request_id, tuple(inputs), wanted_outputs(options), is_streamed, headers or {})


def wanted_outputs(options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the outputs to request; the server does not compute the others."""
    words = PER_WORD if options.get("return_word_box") else {}
    characters = PER_CHARACTER if options.get("return_char_box") else {}
    images = PAGE_IMAGES if options.get("return_page_images") else {}
    sources = LINE_SOURCES if options.get("pdf_text", "ocr") != "ocr" else {}
    return tuple({**ALWAYS, **sources, **words, **characters, **images})


def _input_tensor(file: bytes | NDArray[np.uint8]) -> Tensor:
    if isinstance(file, np.ndarray):
        return Tensor("image", "UINT8", _checked_image(file))
    return Tensor("file", "BYTES", np.array([_checked_file(file)], dtype=np.object_))


def _checked_file(file: Any) -> bytes:
    if not isinstance(file, (bytes, bytearray, memoryview)):
        raise InvalidInputError(f"The file is a {type(file).__name__}; expected bytes or a numpy array.")
    if not file:
        raise InvalidInputError("The file is empty; expected the bytes of an image or PDF.")
    _check_size(len(file))
    return bytes(file)


def _check_size(byte_count: int) -> None:
    if byte_count > MAX_INPUT_BYTES:
        raise InvalidInputError(
            f"The input has {byte_count} bytes; expected at most {MAX_INPUT_BYTES} (gRPC's limit)."
        )


def _checked_image(image: NDArray[Any]) -> NDArray[np.uint8]:
    if image.dtype != np.uint8:
        raise InvalidInputError(f"The image has dtype {image.dtype}; expected uint8.")
    if image.ndim == 2:
        image = image[:, :, None]
    if image.ndim == 3 and image.shape[2] == 1:
        image = np.repeat(image, 3, axis=2)
    if image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise InvalidInputError(
            f"The image has shape {image.shape}; expected [height, width, 3] in BGR order, or grey "
            "[height, width] or [height, width, 1]."
        )
    _check_size(image.nbytes)
    return np.ascontiguousarray(image)


def _option_tensor(name: str, value: bool | int | float | str) -> Tensor:
    datatype = OPTIONS[name].datatype
    content = value.encode() if isinstance(value, str) else value
    # A number beyond float32 becomes infinite; the server rejects it with the option's name and range.
    with np.errstate(over="ignore"):
        return Tensor(name, datatype, np.array([content], dtype=NUMPY_DTYPES[datatype]))
