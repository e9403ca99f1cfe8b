"""Decode JPEGs: simplejpeg gives OpenCV's pixels in half the time, or a reduced image in less.

simplejpeg rejects damaged files. OpenCV decodes those, and the file is accepted if no pixel is missing.
"""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import PIL.Image
import simplejpeg

from tritonocr_backend.core.arrays import Image
from tritonocr_backend.core.errors import InvalidInputError
from tritonocr_backend.documents.jpeg_scans import lacks_scans
from tritonocr_backend.documents.opencv_decoder import decode_with_opencv
from tritonocr_backend.documents.orientation import (
    FIRST_TRANSPOSED_ORIENTATION,
    UPRIGHT,
    exif_orientation,
)
from tritonocr_backend.documents.pages import Page, ReductionOf

SIMPLEJPEG_MODES = frozenset({"RGB", "L"})  # OpenCV converts CMYK in its own way, which PaddleX shows too
JPEG_SCAN = b"\xff\xda"
JPEG_END = b"\xff\xd9"
JPEG_FILLER = b"\x55" * 64


def read_jpeg(image: PIL.Image.Image, data: bytes, reduction_of: ReductionOf) -> Page:
    """Decode a JPEG upright.

    Args:
        image: the file as opened by Pillow, whose header gives size, mode and orientation.
        data: the file.
        reduction_of: the reduction by page size; libjpeg applies the reduction while it decodes.

    Raises:
        InvalidInputError: the JPEG is corrupt, or pixels are missing.
    """
    size = (image.height, image.width)
    reduction = reduction_of(size)
    orientation = exif_orientation(image)
    if image.mode in SIMPLEJPEG_MODES:
        height, width = (-(-side // reduction) for side in size) if reduction > 1 else (0, 0)
        with suppress(ValueError):  # damaged: OpenCV decodes the undamaged part
            pixels = simplejpeg.decode_jpeg(data, "BGR", min_height=height, min_width=width)
            upright = np.ascontiguousarray(UPRIGHT[orientation](pixels))
            is_transposed = orientation >= FIRST_TRANSPOSED_ORIENTATION
            return Page(upright, size[::-1] if is_transposed else size, reduction)
    return Page.reduced(_decode_damaged(data), reduction_of)


def _decode_damaged(data: bytes) -> Image:
    """Decode a JPEG with OpenCV. Accept a file without its end marker if no pixel is missing.

    libjpeg fills missing pixels without reporting them. This function decodes the file twice, the second
    time with other bytes in place of the missing end. The two images differ only if the decoder used those
    bytes for pixels. A missing whole scan needs a check of its own because libjpeg does not expect it.
    """
    if data.rfind(JPEG_END) > data.rfind(JPEG_SCAN):
        return decode_with_opencv(data, "JPEG")
    data = data.rstrip(b"\xff")
    page = decode_with_opencv(data + JPEG_END, "JPEG")
    filled = decode_with_opencv(data + JPEG_FILLER + JPEG_END, "JPEG")
    if lacks_scans(data) or not np.array_equal(page, filled):
        raise InvalidInputError("file: the JPEG is truncated", "unreadable")
    return page
