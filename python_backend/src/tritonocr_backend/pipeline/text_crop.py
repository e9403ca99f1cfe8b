"""From boxes on a page to upright line images at the recognition network's height, packed by width.

A line is cut in one warp straight to its final size. `exact` cuts as PaddleX does: a warp to the line's own
size, a resize from there, and PaddleX's widths.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, hypot

import cv2
import numpy as np
from numpy.typing import NDArray

from tritonocr_backend.core.arrays import Floats, Image, Ints, Quads
from tritonocr_backend.core.contracts import LINE_HEIGHT_PX, LINE_ORIENTATION_SIZE_PX, PADDING_BGR
from tritonocr_backend.core.geometry import min_area_quad, upright_size

MIN_EXACT_WIDTH_PX = 320
MAX_WIDTH_PX = 3200
WIDTH_STEP_PX = 32
VERTICAL_RATIO = 1.5
ORIENTATION_SIZE_PX = LINE_ORIENTATION_SIZE_PX[::-1]  # OpenCV: (width, height)
MAX_WARP_SIDE_PX = 32766  # OpenCV's warps address pixels with int16
CUBIC_MARGIN_PX = 3


@dataclass(frozen=True)
class CutLine:
    """One line, upright.

    Attributes:
        content: uint8 [48, w, 3] BGR.
        padded_width: pixels, at least w; see `line_width`.
        orientation_image: uint8 [80, 160, 3], aspect ratio not kept; None unless wanted.
    """

    content: Image
    padded_width: int
    orientation_image: Image | None


@dataclass(frozen=True)
class PackedLines:
    """Line images of one page, narrowest first, so that lines of equal width lie side by side.

    Attributes:
        pixels: uint8 [sum of 48 * width * 3], BGR.
        widths: int32 [n], each line's padded width in pixels.
        content_widths: int32 [n], how much of the width is the line itself.
        order: int32 [n], which of the given lines each is.
    """

    pixels: NDArray[np.uint8]
    widths: Ints
    content_widths: Ints
    order: Ints


def is_vertical(quad: Quads) -> bool:
    """Whether a line [4, 2] is so tall that it is turned, and so read downwards."""
    corners, _ = min_area_quad(quad.astype(np.int32))
    return _is_tall(*upright_size(corners))


def _is_tall(width: int, height: int) -> bool:
    return height >= VERTICAL_RATIO * width


def cut_line(page: Image, quad: Quads, reduction: int, *, with_orientation_image: bool) -> CutLine | None:
    """Cut a line out of a page in one bilinear warp to its final size; a tall one is turned as PaddleX does.

    Args:
        page: uint8 [H, W, 3], `reduction` times smaller than the page that the quad is on.
        quad: int32 [4, 2].
        reduction: 1 or more.
        with_orientation_image: whether the image for line orientation is wanted.

    Returns:
        The line, or None where the quad has no area.
    """
    corners, _ = min_area_quad(quad.astype(np.int32))
    width, height = upright_size(corners)
    if width == 0 or height == 0:
        return None
    if _is_tall(width, height):
        corners, width, height = np.roll(corners, -1, axis=0), height, width
    corners = (corners + np.float32(0.5)) / np.float32(reduction) - np.float32(0.5)
    if hypot(*page.shape[:2]) > MAX_WARP_SIDE_PX:
        page, corners, _ = _cut_around(page, corners)
    content_width, padded_width = line_width(height, width)
    content = _warp(page, corners, (width, height), (content_width, LINE_HEIGHT_PX))
    image = _warp(page, corners, (width, height), ORIENTATION_SIZE_PX) if with_orientation_image else None
    return CutLine(content, padded_width, image)


def cut_line_exactly(page: Image, quad: Quads, *, with_orientation_image: bool) -> CutLine | None:
    """The same in PaddleX's two steps, and with its width; see `cut_line`."""
    crop = crop_quad(page, quad)
    if crop is None:
        return None
    content_width, padded_width = exact_line_width(*crop.shape[:2])
    content = np.asarray(cv2.resize(crop, (content_width, LINE_HEIGHT_PX)), dtype=np.uint8)
    image = np.asarray(cv2.resize(crop, ORIENTATION_SIZE_PX), np.uint8) if with_orientation_image else None
    return CutLine(content, padded_width, image)


def _warp(page: Image, corners: Floats, size: tuple[int, int], target_size: tuple[int, int]) -> Image:
    """Sample a rectangle of `size` (width, height) px at `target_size`, pixels taken at their centres."""
    width, height = size
    target = np.array([[0, 0], [width, 0], [width, height]], dtype=np.float32)
    target = (target + np.float32(0.5)) * np.divide(target_size, size, dtype=np.float32) - np.float32(0.5)
    # A rectangle stays one, so three corners say all.
    transform = cv2.getAffineTransform(np.ascontiguousarray(corners[:3], dtype=np.float32), target)
    line = cv2.warpAffine(page, transform, target_size, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(line, dtype=np.uint8)


def crop_quad(page: Image, quad: Quads) -> Image | None:
    """Cut one rotated rectangle out of a page as PaddleX does; a tall one is turned counter-clockwise.

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
    upright = np.rot90(crop) if _is_tall(width, height) else crop
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


def line_width(height: int, width: int) -> tuple[int, int]:
    """How wide a line of that size becomes at 48 px height: its own width, up to a multiple of 32 px.

    Returns:
        The content's width and the padded width, both in pixels.
    """
    content = max(1, ceil(LINE_HEIGHT_PX * width / height))
    padded = min(ceil(content / WIDTH_STEP_PX) * WIDTH_STEP_PX, MAX_WIDTH_PX)
    return min(content, padded), padded


def exact_line_width(height: int, width: int) -> tuple[int, int]:
    """The same by PaddleX's rule at recognition batch size 1: at least 320 px."""
    content = max(1, ceil(LINE_HEIGHT_PX * width / height))
    padded = int(LINE_HEIGHT_PX * max(MIN_EXACT_WIDTH_PX / LINE_HEIGHT_PX, width / height))
    padded = min(padded, MAX_WIDTH_PX)
    return min(content, padded), padded


def pack_lines(lines: list[CutLine]) -> PackedLines:
    """Pad lines on the right and pack them by width; equal widths keep their order."""
    padded_widths = np.array([line.padded_width for line in lines], dtype=np.int32)
    order = np.argsort(padded_widths, kind="stable").astype(np.int32)
    widths = padded_widths[order]
    contents = np.array([lines[i].content.shape[1] for i in order], dtype=np.int32)
    pixels = np.empty(int(widths.sum()) * LINE_HEIGHT_PX * 3, dtype=np.uint8)
    for place, i, content in zip(split_lines(pixels, widths), order, contents, strict=True):
        place[:, :content] = lines[i].content
        place[:, content:] = PADDING_BGR
    return PackedLines(pixels, widths, contents, order)


def split_lines(pixels: NDArray[np.uint8], widths: Ints) -> list[Image]:
    """Views [48, width, 3] of the lines packed in `pixels`."""
    ends = np.cumsum(widths.astype(np.int64)) * LINE_HEIGHT_PX * 3
    parts = np.split(pixels, ends[:-1]) if len(widths) else []
    return [part.reshape(LINE_HEIGHT_PX, -1, 3) for part in parts]


def turn_upside_down(line: Image, content_width: int) -> None:
    """Turn a packed line by 180 degrees in place, its padding staying on the right."""
    line[:, :content_width] = line[::-1, :content_width][:, ::-1].copy()
