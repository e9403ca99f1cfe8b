"""Cut the lines of a page: upright line images of the height for recognition, packed by width.

By default, one warp takes a line straight from the page to its final size. `exact` cuts in PaddleX's two
steps: a warp to the line's own size, then a resize to PaddleX's width.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, hypot

import cv2
import numpy as np
from numpy.typing import NDArray

from tritonocr_backend.core.arrays import Floats, Image, Ints, Quads
from tritonocr_backend.core.contracts import (
    LINE_HEIGHT_PX,
    LINE_ORIENTATION_SIZE_PX,
    MAX_WIDTH_PX,
    PADDING_BGR,
    WIDTH_STEP_PX,
)
from tritonocr_backend.pipeline.line_geometry import (
    LineRectangle,
    paddlex_word_frame,
    parts_of_line,
)

MIN_EXACT_WIDTH_PX = 320
ORIENTATION_SIZE_PX = LINE_ORIENTATION_SIZE_PX[::-1]  # OpenCV: (width, height)
MAX_WARP_SIDE_PX = 32766  # OpenCV's warps address pixels with int16
CUBIC_MARGIN_PX = 3

MIN_SPLIT_HEIGHT_PX = 12
"""A lower line has no letters that would be lost when it is squeezed; page rules are such lines."""

MAX_PARTS = 4
"""Maximum number of parts of a line; a longer line is compressed to this number of parts."""

PART_WIDTH_PX = 2400
"""Width at which a line that exceeds MAX_WIDTH_PX is split."""

GAP_SEARCH_PX = 400
"""The split is at the emptiest column at most this far from an even split."""

GAP_WIDTH_PX = 11
"""Columns without ink that make a gap between words; narrower gaps are between letters."""

MIN_INK = 0.25
"""A column has ink if its contrast is at least this fraction of the line's largest contrast."""


@dataclass(frozen=True)
class CutLine:
    """One upright line, or one part of a very long line.

    Attributes:
        content: uint8 [48, w, 3] BGR.
        padded_width: pixels, at least w; see `line_width`.
        corners: float32 [4, 2] on the page in the direction of reading; words lie along them.
        orientation_image: uint8 [80, 160, 3] of the whole line, aspect ratio not kept; None unless wanted.
        part_index: which part of its line this is, from the line's start.
        starts_word: whether the part follows a gap as wide as one between words.
    """

    content: Image
    padded_width: int
    corners: Floats
    orientation_image: Image | None
    part_index: int = 0
    starts_word: bool = False


@dataclass(frozen=True)
class PackedLines:
    """Line images of one page, narrowest first, so that lines of equal width are adjacent.

    Attributes:
        pixels: uint8 [sum of 48 * width * 3], BGR.
        widths: int32 [n], the padded width of each line in pixels.
        content_widths: int32 [n], the width of the line itself in pixels.
        order: int32 [n], the index of each line among the given lines.
    """

    pixels: NDArray[np.uint8]
    widths: Ints
    content_widths: Ints
    order: Ints


def cut_line(
    page: Image, line: LineRectangle, reduction: int, *, with_orientation_image: bool
) -> list[CutLine]:
    """Cut a line out of a page in one bilinear warp to its final size.

    Args:
        page: uint8 [H, W, 3], `reduction` times smaller than the page to which the line's corners refer.
        line: the line's rectangle.
        reduction: 1 or more.
        with_orientation_image: whether the image for line orientation is wanted.

    Returns:
        The line; or its parts from the line's start to its end if it is wider than the network reads.
    """
    corners = (line.corners + np.float32(0.5)) / np.float32(reduction) - np.float32(0.5)
    if hypot(*page.shape[:2]) > MAX_WARP_SIDE_PX:
        page, corners, _ = _cut_around(page, corners)
    size = (line.width, line.height)
    full_width = max(1, ceil(LINE_HEIGHT_PX * line.width / line.height))
    image = _warp(page, corners, size, ORIENTATION_SIZE_PX) if with_orientation_image else None
    if full_width <= MAX_WIDTH_PX or line.height < MIN_SPLIT_HEIGHT_PX:
        content_width, padded_width = line_width(line.height, line.width)
        content = _warp(page, corners, size, (content_width, LINE_HEIGHT_PX))
        return [CutLine(content, padded_width, line.corners, image)]
    long_line = _warp(page, corners, size, (min(full_width, MAX_PARTS * PART_WIDTH_PX), LINE_HEIGHT_PX))
    return _split_long_line(long_line, line.corners, image)


def _split_long_line(content: Image, corners: Floats, orientation_image: Image | None) -> list[CutLine]:
    """Split a line image at gaps into parts that the recognition network reads."""
    edges, follows_gap = split_columns(content)
    spans = np.stack([edges[:-1], edges[1:]], axis=1) / content.shape[1]
    quads = parts_of_line(corners, spans).astype(np.float32)
    parts = []
    for i, quad in enumerate(quads):
        image = content[:, edges[i] : edges[i + 1]]
        _, padded_width = line_width(LINE_HEIGHT_PX, image.shape[1])
        parts.append(CutLine(image, padded_width, quad, orientation_image, i, bool(follows_gap[i])))
    return parts


def split_columns(content: Image) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Return where a long line is split.

    Each split is at the column with the least ink around it, near an even split. The ink of a column is its
    contrast: its largest minus its smallest grey level.

    Args:
        content: uint8 [48, w, 3].

    Returns:
        The columns [k + 1] at which the k parts start and end; and bool [k], whether a gap between words
        precedes each part.
    """
    width = content.shape[1]
    grey = cv2.cvtColor(content, cv2.COLOR_BGR2GRAY)
    contrast = grey.max(axis=0).astype(np.float32) - grey.min(axis=0)
    has_ink = contrast >= MIN_INK * contrast.max()
    ink = cv2.blur(contrast[np.newaxis], (GAP_WIDTH_PX, 1), borderType=cv2.BORDER_REPLICATE)[0]
    part_count = ceil(width / PART_WIDTH_PX)
    edges, follows_gap = [0], [False]
    for number in range(1, part_count):
        start = number * width // part_count - GAP_SEARCH_PX
        split = start + int(np.argmin(ink[start : start + 2 * GAP_SEARCH_PX]))
        edges.append(split)
        follows_gap.append(not has_ink[split - GAP_WIDTH_PX // 2 : split + GAP_WIDTH_PX // 2 + 1].any())
    return np.array([*edges, width]), np.array(follows_gap)


def cut_line_exactly(
    page: Image, quad: Quads, line: LineRectangle, *, with_orientation_image: bool
) -> list[CutLine]:
    """Cut a line out of a page in PaddleX's two steps and with PaddleX's width; see `cut_line`.

    Args:
        page: uint8 [H, W, 3].
        quad: int32 [4, 2], the detected box.
        line: its rectangle.
        with_orientation_image: whether the image for line orientation is wanted.
    """
    crop = crop_line(page, line)
    content_width, padded_width = exact_line_width(*crop.shape[:2])
    content = np.asarray(cv2.resize(crop, (content_width, LINE_HEIGHT_PX)), dtype=np.uint8)
    image = np.asarray(cv2.resize(crop, ORIENTATION_SIZE_PX), np.uint8) if with_orientation_image else None
    return [CutLine(content, padded_width, paddlex_word_frame(quad, is_tall=line.is_tall), image)]


def _warp(page: Image, corners: Floats, size: tuple[int, int], target_size: tuple[int, int]) -> Image:
    """Sample a rectangle of `size` (width, height) px at `target_size`, aligned at the centres of pixels."""
    width, height = size
    target = np.array([[0, 0], [width, 0], [width, height]], dtype=np.float32)
    target = (target + np.float32(0.5)) * np.divide(target_size, size, dtype=np.float32) - np.float32(0.5)
    # Three corners define the transform, because a rectangle stays a rectangle.
    transform = cv2.getAffineTransform(np.ascontiguousarray(corners[:3], dtype=np.float32), target)
    line = cv2.warpAffine(page, transform, target_size, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(line, dtype=np.uint8)


def crop_line(page: Image, line: LineRectangle) -> Image:
    """Cut a line out of a page at its own size as PaddleX does; a tall box is turned counter-clockwise.

    Args:
        page: uint8 [H, W, 3].
        line: the line's rectangle.

    Returns:
        uint8 [h, w, 3].
    """
    corners, width, height = line.corners, line.width, line.height
    if line.is_tall:  # PaddleX warps the box as it is, then rotates the pixels
        corners, width, height = np.roll(corners, 1, axis=0), height, width
    if hypot(*page.shape[:2]) > MAX_WARP_SIDE_PX:
        page, corners, scale = _cut_around(page, corners)
        width, height = ceil(width * scale), ceil(height * scale)
    target = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float32)
    transform = cv2.getPerspectiveTransform(np.ascontiguousarray(corners), target)
    crop = cv2.warpPerspective(
        page, transform, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(np.rot90(crop) if line.is_tall else crop, dtype=np.uint8)


def _cut_around(page: Image, corners: Floats) -> tuple[Image, Floats, float]:
    """Return the part of a page around a quad, the quad in that part, and the part's scale.

    The part is shrunk where it is still too long to warp. Recognition shrinks such a line much further.
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
    """Return the width of a line at 48 px height, rounded up to a multiple of 32 px.

    Returns:
        The content's width and the padded width, both in pixels.
    """
    content = max(1, ceil(LINE_HEIGHT_PX * width / height))
    padded = min(ceil(content / WIDTH_STEP_PX) * WIDTH_STEP_PX, MAX_WIDTH_PX)
    return min(content, padded), padded


def exact_line_width(height: int, width: int) -> tuple[int, int]:
    """Return the same by PaddleX's rule at recognition batch size 1: at least 320 px."""
    content = max(1, ceil(LINE_HEIGHT_PX * width / height))
    padded = int(LINE_HEIGHT_PX * max(MIN_EXACT_WIDTH_PX / LINE_HEIGHT_PX, width / height))
    padded = min(padded, MAX_WIDTH_PX)
    return min(content, padded), padded


def pack_lines(lines: list[CutLine]) -> PackedLines:
    """Pad lines on the right and pack them by width; lines of equal width keep their order."""
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
    """Return views [48, width, 3] of the lines packed in `pixels`."""
    ends = np.cumsum(widths.astype(np.int64)) * LINE_HEIGHT_PX * 3
    parts = np.split(pixels, ends[:-1]) if len(widths) else []
    return [part.reshape(LINE_HEIGHT_PX, -1, 3) for part in parts]


def turn_upside_down(line: Image, content_width: int) -> None:
    """Turn a packed line by 180 degrees in place; the padding stays on the right."""
    line[:, :content_width] = line[::-1, :content_width][:, ::-1].copy()
