"""Find the orientation of a page and rotate the page."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from tritonocr_backend.core.arrays import Floats, Image
from tritonocr_backend.core.contracts import DOC_ORIENTATION_SIZE_PX
from tritonocr_backend.documents.pages import Page

SHORT_SIDE_PX = 256
CROP_PX = DOC_ORIENTATION_SIZE_PX[0]  # a square
MAX_ASPECT = 64


def resize_for_doc_orientation(page: Image) -> Image:
    """Short side to 256 px (bilinear), then the centre crop: uint8 [224, 224, 3]."""
    page = _middle(page)
    height, width = page.shape[:2]
    ratio = SHORT_SIDE_PX / min(height, width)
    resized_height, resized_width = round(height * ratio), round(width * ratio)
    resized = cv2.resize(page, (resized_width, resized_height))
    x, y = max(0, (resized_width - CROP_PX) // 2), max(0, (resized_height - CROP_PX) // 2)
    return np.ascontiguousarray(resized[y : y + CROP_PX, x : x + CROP_PX], dtype=np.uint8)


def _middle(page: Image) -> Image:
    """Crop a page to its middle if its aspect ratio exceeds `MAX_ASPECT`, to bound the memory of resizing."""
    height, width = page.shape[:2]
    longest = MAX_ASPECT * min(height, width)
    y, x = max(0, height - longest) // 2, max(0, width - longest) // 2
    return page[y : y + longest, x : x + longest]


def doc_angle(probabilities: Floats) -> int:
    """Return the degrees (0, 90, 180 or 270) of the counter-clockwise rotation, from float32 [4]."""
    return 90 * int(np.argmax(probabilities))


def rotate(page: Page, angle: int) -> Page:
    """Rotate a page counter-clockwise by a multiple of 90 degrees; the pixels stay contiguous."""
    pixels = np.ascontiguousarray(np.rot90(page.pixels, k=angle // 90 % 4))
    return replace(page, pixels=pixels, size=page.size[::-1] if angle % 180 else page.size)
