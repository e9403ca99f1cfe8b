"""Turn images upright by their EXIF orientation (TIFF 6.0, tag 274)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import PIL.Image

from tritonocr_backend.core.arrays import Image

EXIF_ORIENTATION = 0x0112
FIRST_TRANSPOSED_ORIENTATION = 5  # orientations from 5 to 8 swap height and width

UPRIGHT: Mapping[int, Callable[[Image], Image]] = {
    1: lambda pixels: pixels,
    2: np.fliplr,
    3: lambda pixels: np.rot90(pixels, 2),
    4: np.flipud,
    5: lambda pixels: pixels.transpose(1, 0, 2),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: np.rot90(pixels, 2).transpose(1, 0, 2),
    8: np.rot90,
}
"""The transformation that turns an image upright, by EXIF orientation."""


def exif_orientation(image: PIL.Image.Image) -> int:
    """Return the EXIF orientation, 1 if there is none or if the EXIF block is damaged."""
    try:
        orientation = image.getexif().get(EXIF_ORIENTATION, 1)
        return orientation if orientation in UPRIGHT else 1
    except Exception:  # damaged EXIF raises many types of exception, and the pixels do not depend on it
        return 1


def upright(image: PIL.Image.Image, to_bgr: Callable[[PIL.Image.Image], Image]) -> Image:
    """Decode a frame with `to_bgr` and turn it upright; contiguous uint8 [H, W, 3] BGR."""
    image.load()  # some of Pillow's decoders turn the frame themselves and then drop the orientation
    return np.ascontiguousarray(UPRIGHT[exif_orientation(image)](to_bgr(image)))
