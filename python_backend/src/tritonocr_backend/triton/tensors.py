"""Tensors across the Triton boundary: NumPy arrays on our side, strings as str."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils
from numpy.typing import NDArray

from tritonocr_backend.core.arrays import Tensors
from tritonocr_backend.core.errors import InvalidInputError
from tritonocr_backend.triton import numpy2

if numpy2.IS_NUMPY_2:
    numpy2.repair()


def read_inputs(request: pb_utils.InferenceRequest) -> dict[str, NDArray[Any]]:
    """Return a request's inputs by name; STRING tensors contain bytes."""
    return {tensor.name(): tensor.as_numpy() for tensor in request.inputs()}


def decode_strings(tensor: NDArray[Any], name: str) -> NDArray[np.object_]:
    """Decode a STRING tensor from bytes to str.

    Raises:
        InvalidInputError: the bytes are not UTF-8.
    """
    try:
        texts = [item.decode() if isinstance(item, bytes) else str(item) for item in tensor.ravel()]
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"{name}: got bytes that are not UTF-8 text") from error
    return np.array(texts, dtype=object).reshape(tensor.shape)


def encode_strings(tensor: NDArray[Any]) -> NDArray[np.object_]:
    """Encode a tensor of str as UTF-8 bytes."""
    items = [item.encode() if isinstance(item, str) else item for item in tensor.ravel()]
    return np.array(items, dtype=object).reshape(tensor.shape)


def to_triton(tensors: Tensors) -> list[pb_utils.Tensor]:
    """Return named arrays as Triton tensors."""
    return [_tensor(name, array) for name, array in tensors.items()]


def _tensor(name: str, array: NDArray[Any]) -> pb_utils.Tensor:
    if array.dtype == object:
        return pb_utils.Tensor(name, encode_strings(array))
    array = np.ascontiguousarray(array)
    return numpy2.to_tensor(name, array) if numpy2.IS_NUMPY_2 else pb_utils.Tensor(name, array)


def response(outputs: Tensors, requested: Collection[str]) -> pb_utils.InferenceResponse:
    """Return a response with the requested outputs."""
    return pb_utils.InferenceResponse(
        to_triton({name: array for name, array in outputs.items() if name in requested})
    )


def from_response(answer: Any) -> Mapping[str, NDArray[Any]]:
    """Return the outputs of another model's response, STRING tensors as str."""
    arrays = {tensor.name(): tensor.as_numpy() for tensor in answer.output_tensors()}
    return {name: decode_strings(a, name) if a.dtype == object else a for name, a in arrays.items()}
