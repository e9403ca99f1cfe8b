"""From boxes on a page to upright line images at the recognition network's height, packed by width."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, hypot
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from tritonocr_backend.arrays import Image, Ints, Quads
from tritonocr_backend.contracts import PADDING_BGR
from tritonocr_backend.geometry import min_area_quad, upright_size

LINE_HEIGHT_PX = 48
MIN_EXACT_WIDTH_PX = 320
MAX_WIDTH_PX = 3200
WIDTH_STEP_PX = 32
VERTICAL_RATIO = 1.5
ORIENTATION_SIZE_PX = (160, 80)
MAX_WARP_SIDE_PX = 32766  # OpenCV's warps address pixels with int16
CUBIC_MARGIN_PX = 3

LinePadding = Literal["buckets", "exact"]


@dataclass(frozen=True)
class PackedLines:
    """Line images of one page, narrowest first, so that lines of equal width lie side by side.

    Attributes:
        pixels: uint8 [sum of 48 * width * 3], BGR.
        widths: int32 [n], each line's padded width in pixels.
        content_widths: int32 [n], how much of the width is the line itself.
        line_index: int32 [n], the quad that each line was cut from.
    """

    pixels: NDArray[np.uint8]
    widths: Ints
    content_widths: Ints
    line_index: Ints


def crop_quad(page: Image, quad: Quads) -> Image | None:
    """Cut one rotated rectangle out of a page; a tall one is turned by 90 degrees counter-clockwise.

    Args:
        page: uint8 [H, W, 3].
        quad: int32 [4, 2].

    Returns:
        uint8 [h, w, 3], or None where the quad has no area.
    """
    corners, _ = min_area_quad(quad.astype(np.int32))
    width, height = upright_size(corners)
    if width == 0 or height == 0:
        return None
    if hypot(*page.shape[:2]) > MAX_WARP_SIDE_PX:
        page, corners, scale = _cut_around(page, corners)
        width, height = ceil(width * scale), ceil(height * scale)
    target = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float32)
    transform = cv2.getPerspectiveTransform(corners, target)
    crop = cv2.warpPerspective(
        page, transform, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    upright = np.rot90(crop) if height / width >= VERTICAL_RATIO else crop
    return np.asarray(upright, dtype=np.uint8)


def _cut_around(page: Image, corners: NDArray[np.float32]) -> tuple[Image, NDArray[np.float32], float]:
    """The part of a page around a quad, and the quad in it; shrunk where that part is still too long to warp.

    Recognition shrinks such a line much further anyway.
    """
    height, width = page.shape[:2]
    x, y = np.clip(np.floor(corners.min(axis=0)).astype(int) - CUBIC_MARGIN_PX, 0, (width - 1, height - 1))
    x_end, y_end = np.ceil(corners.max(axis=0)).astype(int) + CUBIC_MARGIN_PX
    part = page[y:y_end, x:x_end]
    scale = min(1.0, MAX_WARP_SIDE_PX / hypot(*part.shape[:2]))
    if scale < 1:
        part = np.asarray(cv2.resize(part, None, fx=scale, fy=scale), dtype=np.uint8)
    return part, (corners - np.array([x, y], dtype=np.float32)) * np.float32(scale), scale


def line_width(height: int, width: int, padding: LinePadding) -> tuple[int, int]:
    """How wide a crop becomes at 48 px height.

    `exact` is PaddleX's rule at recognition batch size 1: at least 320 px. `buckets` rounds the line's own
    width up to a multiple of 32 px. Either way the width depends on this line alone.

    Returns:
        The content's width and the padded width, both in pixels.
    """
    content = max(1, ceil(LINE_HEIGHT_PX * width / height))
    if padding == "exact":
        padded = int(LINE_HEIGHT_PX * max(MIN_EXACT_WIDTH_PX / LINE_HEIGHT_PX, width / height))
    else:
        padded = ceil(content / WIDTH_STEP_PX) * WIDTH_STEP_PX
    padded = min(padded, MAX_WIDTH_PX)
    return min(content, padded), padded


def pack_lines(crops: list[Image], line_index: list[int], padding: LinePadding) -> PackedLines:
    """Resize crops to 48 px height, pad them and pack them by width.

    Args:
        crops: uint8 [h, w, 3] each.
        line_index: the quad that each crop was cut from.
        padding: see `line_width`.
    """
    widths = [line_width(crop.shape[0], crop.shape[1], padding) for crop in crops]
    sizes = np.array(widths, dtype=np.int32).reshape(-1, 2)
    order = np.argsort(sizes[:, 1], kind="stable")
    contents, widths = sizes[order, 0], sizes[order, 1]
    pixels = np.empty(int(widths.sum()) * LINE_HEIGHT_PX * 3, dtype=np.uint8)
    for line, crop_number, content in zip(split_lines(pixels, widths), order, contents, strict=True):
        cv2.resize(crops[crop_number], (int(content), LINE_HEIGHT_PX), dst=line[:, :content])
        line[:, content:] = PADDING_BGR
    return PackedLines(pixels, widths, contents, np.array(line_index, dtype=np.int32)[order])


def split_lines(pixels: NDArray[np.uint8], widths: Ints) -> list[Image]:
    """Views [48, width, 3] of the lines packed in `pixels`."""
    ends = np.cumsum(widths.astype(np.int64)) * LINE_HEIGHT_PX * 3
    parts = np.split(pixels, ends[:-1]) if len(widths) else []
    return [part.reshape(LINE_HEIGHT_PX, -1, 3) for part in parts]


def resize_for_line_orientation(crop: Image) -> Image:
    """uint8 [80, 160, 3], aspect ratio not kept."""
    return np.asarray(cv2.resize(crop, ORIENTATION_SIZE_PX), dtype=np.uint8)


def turn_upside_down(line: Image, content_width: int) -> None:
    """Turn a packed line by 180 degrees in place, its padding staying on the right."""
    line[:, :content_width] = line[::-1, :content_width][:, ::-1].copy()
