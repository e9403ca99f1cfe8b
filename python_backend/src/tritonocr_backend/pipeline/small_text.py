"""Text that is too small for detection at the scale at which detection sees the page.

Detection finds lines down to about 5 px of height in its map. The boxes of such lines, which are grown around
the text, have a short side of 12 px. Detection looks again at a finer scale in three cases: the boxes of a
page are as small as that; a page that was shrunk far seems to be empty; or rows of small glyphs are outside
all boxes.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from tritonocr_backend.core.arrays import Floats, Quads
from tritonocr_backend.core.page_messages import PageWarning
from tritonocr_backend.documents.pages import Page

SMALL_BOX_PX = 13
"""Text is too small if the median short side of the boxes in the map is below this."""

SUSPICIOUS_SCALE = 0.25
"""If no text is found at a scale below this value, detection runs again."""

FINER = 2.5
"""Ratio of the scales of the second and the first detection."""

MIN_FOUND_PX = 5
"""Detection misses lines that are lower than this in its map."""

MIN_GLYPH_PX = 5
"""Lower glyphs, in pixels of the page, cannot be read at any scale."""

MIN_GLYPHS = 60
"""Number of small glyphs in a window that count as print."""

MIN_IN_ROWS = 0.4
"""Part of the glyphs that have a neighbour in their row. Small print has 0.75 or more, photographs and
receipts have 0.2 or less."""

WINDOW_PX = 1024
MAX_WINDOWS = 12
"""An A4 page at 300 dpi has 12 windows. On larger pages 12 windows are examined, evenly spread."""

_INK_CONTRAST = 24
_BACKGROUND_PX = 31
_SAMPLING = 3
_MIN_INK_PX = 20  # of a glyph
_FRAME_PX = 15


def lines_may_be_missing(page: Page, quads: Quads, scale: float) -> bool:
    """Return whether detection probably missed text because of its size.

    Args:
        page: the page that detection saw.
        quads: int32 [n, 4, 2], the boxes found, in pixels of the page.
        scale: pixels of the map per pixel of the page.
    """
    return is_too_small(quads, scale) or has_print_outside(page, quads, scale)


def has_print_outside(page: Page, quads: Quads, scale: float) -> bool:
    """Return whether rows of glyphs that are too small for detection are outside all boxes.

    Args:
        page: see `lines_may_be_missing`.
        quads: see `lines_may_be_missing`.
        scale: see `lines_may_be_missing`.
    """
    ratio = page.size[1] / page.pixels.shape[1]  # of a page that was decoded at a reduced resolution
    max_glyph_px = MIN_FOUND_PX / (scale * ratio)
    if max_glyph_px <= MIN_GLYPH_PX:
        return False
    outlines = np.round(quads / ratio).astype(np.int32)
    return any(_has_print(window, outlines - (x, y), max_glyph_px) for window, x, y in _windows(page.pixels))


def _has_print(window: NDArray[np.uint8], outlines: Quads, max_glyph_px: float) -> bool:
    """Return whether rows of small glyphs are outside the outlines."""
    sampled = np.count_nonzero(
        _ink(window, outlines, _SAMPLING)
    )  # a tenth of the time, enough for most pages
    if sampled * _SAMPLING**2 < MIN_GLYPHS * _MIN_INK_PX:
        return False
    return _has_rows(_glyphs(_ink(window, outlines), max_glyph_px))


def _windows(pixels: NDArray[np.uint8]) -> Iterator[tuple[NDArray[np.uint8], int, int]]:
    """Yield windows of a page, each uint8 [H, W, 3] with its left and upper edge."""
    height, width = pixels.shape[:2]
    corners = [(x, y) for y in range(0, height, WINDOW_PX) for x in range(0, width, WINDOW_PX)]
    step = max(1, -(-len(corners) // MAX_WINDOWS))
    for x, y in corners[::step]:
        yield pixels[y : y + WINDOW_PX, x : x + WINDOW_PX], x, y


def _ink(window: NDArray[np.uint8], outlines: Quads, step: int = 1) -> NDArray[np.uint8]:
    """Return each `step`-th pixel: 1 if it differs from its background and is outside the outlines."""
    grey = cv2.cvtColor(np.ascontiguousarray(window[::step, ::step]), cv2.COLOR_BGR2GRAY)
    side = _BACKGROUND_PX // step | 1
    background = cv2.blur(grey, (side, side))
    is_dark = np.mean(grey) < 128
    contrast = cv2.subtract(grey, background) if is_dark else cv2.subtract(background, grey)
    ink: NDArray[np.uint8] = (np.asarray(contrast) > _INK_CONTRAST).astype(np.uint8)
    inner = list(outlines // step)
    cv2.fillPoly(ink, inner, 0)
    cv2.polylines(ink, inner, isClosed=True, color=0, thickness=_FRAME_PX // step)  # strokes that look out
    return ink


def _glyphs(ink: NDArray[np.uint8], max_glyph_px: float) -> Floats:
    """Return the boxes [n, 4] (x, y, width, height) of small glyphs."""
    _, _, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=8, ltype=cv2.CV_32S)
    width, height, area = stats[1:, 2], stats[1:, 3], stats[1:, 4]
    is_glyph = (height >= MIN_GLYPH_PX) & (height <= max_glyph_px)
    is_glyph &= (width >= 2) & (width <= 3 * max_glyph_px) & (area >= 0.15 * width * height)
    boxes: Floats = stats[1:, :4][is_glyph].astype(np.float32)
    return boxes


def _has_rows(glyphs: Floats) -> bool:
    """Return whether glyphs form rows or columns, in contrast to noise and the texture of a photograph."""
    if len(glyphs) < MIN_GLYPHS:
        return False
    cell_px = max(float(np.median(glyphs[:, 3])), MIN_GLYPH_PX)
    x, y = ((glyphs[:, :2] + glyphs[:, 2:] / 2) / cell_px).astype(int).T
    has_glyph = np.zeros((y.max() + 1, x.max() + 1), dtype=bool)
    has_glyph[y, x] = True
    count = np.count_nonzero(has_glyph)
    across = np.count_nonzero(has_glyph[:, 1:] & has_glyph[:, :-1]) / count
    down = np.count_nonzero(has_glyph[1:] & has_glyph[:-1]) / count
    return bool(max(across, down) >= MIN_IN_ROWS and max(across, down) >= 2 * min(across, down))


def is_too_small(quads: Quads, scale: float) -> bool:
    """Return whether detection probably missed text because of its size.

    Args:
        quads: int32 [n, 4, 2], the boxes found, in pixels of the page.
        scale: pixels of the map per pixel of the page.
    """
    if not len(quads):
        return scale < SUSPICIOUS_SCALE
    sides = np.linalg.norm(np.diff(quads[:, :3].astype(np.float64), axis=1), axis=2)  # top and right side
    return bool(scale < 1 and np.median(sides.min(axis=1)) * scale < SMALL_BOX_PX)


def small_text_warning(scale: float) -> PageWarning:
    """Return the warning that lines may be missing at this scale of detection."""
    return PageWarning(
        "text_too_small",
        f"detection processed the page at 1/{1 / scale:.1f} of its size, where text is too small to be found "
        "reliably; expected a larger text_det_limit_side_len or a part of the page",
    )
