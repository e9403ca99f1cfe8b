"""Decode images with OpenCV."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from tritonocr_backend.core.arrays import Image
from tritonocr_backend.core.errors import InvalidInputError

cv2.setLogLevel(0)  # OpenCV writes a line to standard error for each damaged file


def decode_with_opencv(data: bytes, image_format: str) -> Image:
    """Decode an image to uint8 [H, W, 3] BGR and apply its EXIF orientation.

    Raises:
        InvalidInputError: the image is corrupt or truncated.
        MemoryError: the machine has no memory left, which is not the file's fault.
    """
    pixels = _decode(data, cv2.IMREAD_COLOR)
    if pixels is None:
        raise InvalidInputError(f"file: the {image_format} is corrupt or truncated", "unreadable")
    return np.asarray(pixels, dtype=np.uint8)


def decode_samples(data: bytes | memoryview, name: str, *, to_bgr: bool = False) -> NDArray[Any]:
    """Decode an image without conversion: [H, W] or [H, W, C] of the file's own sample type, upright.

    Args:
        data: the file.
        name: what error messages call it.
        to_bgr: convert to uint8 [H, W, 3] BGR. OpenCV misreads separate planes without this conversion.

    Raises:
        InvalidInputError, MemoryError: as `decode_with_opencv`.
    """
    samples = _decode(data, cv2.IMREAD_COLOR if to_bgr else cv2.IMREAD_UNCHANGED)
    if samples is None:
        message = f"file: {name} is corrupt, truncated or has an unsupported pixel layout"
        raise InvalidInputError(message, "unreadable")
    return samples


def _decode(data: bytes | memoryview, flags: int) -> NDArray[Any] | None:
    try:
        samples: NDArray[Any] | None = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), flags)
        return samples
    except cv2.error as error:
        if error.code == cv2.Error.StsNoMem:
            raise MemoryError("not enough memory to decode a page") from error
        return None
