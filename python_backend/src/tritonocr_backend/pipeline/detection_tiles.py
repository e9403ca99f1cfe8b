"""Scale a page for detection: as a whole, or in tiles if the page is a long strip.

PaddleX shrinks the longest side of a page to `limit_side_len`. The text of a long screenshot or of one very
wide line is then too small to be found. Such a strip is scaled by its shortest side instead. The network sees
one tile after the other, and the probability maps of the tiles are joined to one map, so that a line that
crosses the edge of a tile stays one line.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, sqrt

import cv2
import numpy as np

from tritonocr_backend.core.arrays import Floats, Image
from tritonocr_backend.core.contracts import MAX_MAP_PIXELS, MAX_MAP_SIDE_PX, STRIDE_PX
from tritonocr_backend.pipeline.text_detection import (
    MAX_SIDE_LIMIT_PX,
    LimitType,
    limit_ratio,
    resize_for_detection,
    to_stride,
)

STRIP_ASPECT = 4
"""A page is a strip if its longest side is more than this many times its shortest side."""

TILE_ASPECT = 1.5
"""Length of a tile over its width, for a strip that is wide enough."""

OVERLAP_PX = 128
"""Overlap of neighbouring tiles in the map. Half of it is context for the network, and is cut off."""

REDUCTIONS = (8, 4, 2, 1)
MIN_OVERSAMPLING = 3.5  # a line of 14 px in the map still has the 48 px that recognition reads

MIN_TILE_PX = 2 * OVERLAP_PX


@dataclass(frozen=True)
class DetectionView:
    """The images that the detection network sees of one page.

    Attributes:
        tiles: uint8 [H', W', 3] each, all of one size, both sides multiples of 32.
        starts: where each tile starts along the page's longest side, in pixels of the map.
        axis: the longest side's axis, 0 (tall) or 1 (wide).
        scale: pixels of the map per pixel of the page.
    """

    tiles: list[Image]
    starts: list[int]
    axis: int
    scale: float

    def joined(self, maps: list[Floats]) -> Floats:
        """Join the probability maps [H', W'] of the tiles; neighbours meet in the middle of their overlap."""
        if len(maps) == 1:
            return maps[0]
        length = maps[0].shape[self.axis]
        ends = [start + length for start in self.starts]
        cuts = [0, *((end + start) // 2 for end, start in zip(ends, self.starts[1:], strict=False)), ends[-1]]
        parts = []
        for number, (start, tile_map) in enumerate(zip(self.starts, maps, strict=True)):
            first, last = cuts[number] - start, cuts[number + 1] - start
            parts.append(tile_map[first:last] if self.axis == 0 else tile_map[:, first:last])
        return np.concatenate(parts, axis=self.axis)


def detection_view(
    page: Image, size: tuple[int, int], limit_side_len: int, limit_type: LimitType, *, exact: bool
) -> DetectionView:
    """Scale a page for the detection network, and cut a strip into tiles.

    Args:
        page: uint8 [H, W, 3].
        size: (height, width) of the page as given, in pixels; larger than (H, W) if the page was decoded at a
            reduced resolution.
        limit_side_len: pixels.
        limit_type: see `resize_for_detection`.
        exact: whether the page is always scaled as a whole, as PaddleX does.
    """
    axis = 0 if size[0] >= size[1] else 1
    scale = None if exact else strip_scale(size, limit_side_len, limit_type)
    if scale is None:
        tile = resize_for_detection(page, size, limit_side_len, limit_type)
        return DetectionView([tile], [0], axis, limit_ratio(*size, limit_side_len, limit_type))
    height, width = (to_stride(side * scale) for side in size)
    interpolation = cv2.INTER_AREA if page.shape[1] >= 2 * width else cv2.INTER_LINEAR  # keep thin strokes
    resized = np.asarray(cv2.resize(page, (width, height), interpolation=interpolation), dtype=np.uint8)
    tile_px = _tile_length((height, width), limit_side_len, limit_type)
    starts = _tile_starts(max(height, width), tile_px)
    tiles = [
        resized[start : start + tile_px] if axis == 0 else resized[:, start : start + tile_px]
        for start in starts
    ]
    return DetectionView([np.ascontiguousarray(tile) for tile in tiles], starts, axis, scale)


def strip_scale(size: tuple[int, int], limit_side_len: int, limit_type: LimitType) -> float | None:
    """Return the scale of the tiles of a strip; None for a page that is scaled as a whole.

    Args:
        size: (height, width) of the page in pixels.
        limit_side_len: pixels.
        limit_type: see `resize_for_detection`.
    """
    longest, shortest = max(size), min(size)
    if longest <= STRIP_ASPECT * shortest or limit_side_len < MIN_TILE_PX:
        return None
    if limit_type == "max":
        scale = min(1.0, limit_side_len / TILE_ASPECT / shortest)
    else:
        scale = max(1.0, limit_side_len / shortest)
    scale = min(scale, sqrt(MAX_MAP_PIXELS / longest / max(shortest, STRIDE_PX)), MAX_MAP_SIDE_PX / longest)
    seen_whole = limit_ratio(*size, limit_side_len, limit_type)
    return scale if scale > seen_whole else None


def page_scale(size: tuple[int, int], limit_side_len: int, limit_type: LimitType) -> float:
    """Return the scale of a page of (height, width) px for detection, in tiles or as a whole."""
    scale = strip_scale(size, limit_side_len, limit_type)
    return limit_ratio(*size, limit_side_len, limit_type) if scale is None else scale


def page_reduction(size: tuple[int, int], limit_side_len: int, limit_type: LimitType) -> int:
    """Return how many times smaller a page of `size` (height, width) px may be decoded without loss of text.

    The result is a power of two up to 8, since a JPEG is decoded faster at such a fraction of its size. The
    decoded page is still MIN_OVERSAMPLING times as fine as the image that detection sees, so that lines have
    the pixels that recognition needs.
    """
    finer = 1 / page_scale(size, limit_side_len, limit_type)
    return next(n for n in REDUCTIONS if finer >= n * MIN_OVERSAMPLING or n == 1)


def _tile_length(map_size: tuple[int, int], limit_side_len: int, limit_type: LimitType) -> int:
    wanted = limit_side_len if limit_type == "max" else TILE_ASPECT * min(map_size)
    return min(to_stride(min(max(wanted, MIN_TILE_PX), MAX_SIDE_LIMIT_PX)), max(map_size))


def _tile_starts(length: int, tile_px: int) -> list[int]:
    """Return evenly spaced starts, multiples of 32; the last tile ends at the end of the map."""
    if length <= tile_px:
        return [0]
    count = ceil((length - OVERLAP_PX) / (tile_px - OVERLAP_PX))
    return [(length - tile_px) * number // (count - 1) // STRIDE_PX * STRIDE_PX for number in range(count)]
