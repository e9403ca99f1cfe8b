"""Decode images with OpenCV."""

from __future__ import annotations

import cv2
import numpy as np

from tritonocr_backend.core.arrays import Image
from tritonocr_backend.core.errors import InvalidInputError


def decode_with_opencv(data: bytes, image_format: str) -> Image:
    """Decode an image to uint8 [H, W, 3] BGR and apply its EXIF orientation.

    Raises:
        InvalidInputError: the image is corrupt or truncated.
        MemoryError: the machine has no memory left, which is not the file's fault.
    """
    try:
        page = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        if error.code == cv2.Error.StsNoMem:
            raise MemoryError("no memory to decode a page") from error
        page = None
    if page is None:
        raise InvalidInputError(f"file: the {image_format} is corrupt or truncated", "unreadable")
    return np.asarray(page, dtype=np.uint8)
