"""Text detection around the network: resizing the page, and DB postprocessing of its probability map.

DB is "Real-time Scene Text Detection with Differentiable Binarization" (Liao et al., 2020); constants and
rounding are PaddleX 3.0.0rc0's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import pyclipper

from tritonocr_backend.core.arrays import Floats, Image, Quads
from tritonocr_backend.core.contracts import STRIDE_PX
from tritonocr_backend.core.geometry import min_area_quad, reading_order, upright_size

MIN_PADDED_SIDES_PX = 64
MAX_SIDE_LIMIT_PX = 4000
MIN_SIDE_PX = 3
MIN_EXPANDED_SIDE_PX = MIN_SIDE_PX + 2
REDUCTIONS = (8, 4, 2, 1)
MIN_OVERSAMPLING = 3.5  # a line of 14 px in the map still has recognition's 48

LimitType = Literal["max", "min"]


@dataclass(frozen=True)
class DetectedBoxes:
    """Boxes of one page in reading order."""

    quads: Quads
    scores: Floats
    max_candidates_reached: bool


def resize_for_detection(
    page: Image, size: tuple[int, int], limit_side_len: int, limit_type: LimitType
) -> Image:
    """Scale a page for the detection network; aspect ratio is kept only to within a multiple of 32 px.

    Args:
        page: uint8 [H, W, 3].
        size: (height, width) of the page as given, in pixels: (H, W), or more where it was decoded smaller.
        limit_side_len: pixels.
        limit_type: `max` shrinks until the longest side fits, `min` enlarges until the shortest side does.

    Returns:
        uint8 [H', W', 3], both sides multiples of 32 and at least 32; no side longer than about 4000 px
        (PaddleX 3.0.0's max_side_limit).
    """
    height, width = size
    if height + width < MIN_PADDED_SIDES_PX:
        page = _pad_to_stride(page)
        height, width = page.shape[:2]
    ratio = _limit_ratio(height, width, limit_side_len, limit_type)
    return np.asarray(
        cv2.resize(page, (_to_stride(int(width * ratio)), _to_stride(int(height * ratio)))), dtype=np.uint8
    )


def page_reduction(size: tuple[int, int], limit_side_len: int, limit_type: LimitType) -> int:
    """How many times smaller a page of `size` (height, width) px may be decoded without loss to reading.

    A power of two up to 8: a JPEG is decoded faster at such a part of its size than at its full size. What is
    left is still MIN_OVERSAMPLING times as fine as detection sees, so that lines keep what recognition takes.
    """
    finer = 1 / _limit_ratio(*size, limit_side_len, limit_type)
    return next(n for n in REDUCTIONS if finer >= n * MIN_OVERSAMPLING or n == 1)


def _limit_ratio(height: int, width: int, limit_side_len: int, limit_type: LimitType) -> float:
    longest, shortest = max(height, width), min(height, width)
    ratio = 1.0
    if limit_type == "max" and longest > limit_side_len:
        ratio = limit_side_len / longest
    elif limit_type == "min" and shortest < limit_side_len:
        ratio = limit_side_len / shortest
    return min(ratio, MAX_SIDE_LIMIT_PX / longest)


def _to_stride(side_px: int) -> int:
    return max(round(side_px / STRIDE_PX) * STRIDE_PX, STRIDE_PX)


def _pad_to_stride(page: Image) -> Image:
    height, width = page.shape[:2]
    padded = np.zeros((max(STRIDE_PX, height), max(STRIDE_PX, width), 3), dtype=np.uint8)
    padded[:height, :width] = page
    return padded


def db_postprocess(
    probability: Floats,
    source_size: tuple[int, int],
    *,
    thresh: float,
    box_thresh: float,
    unclip_ratio: float,
    max_candidates: int,
) -> DetectedBoxes:
    """Turn a probability map into boxes on the page.

    Args:
        probability: float32 [H', W'] in 0..1.
        source_size: (height, width) of the page in pixels.
        thresh: a map pixel is text if its probability exceeds this.
        box_thresh: a box is kept if its mean probability is at least this.
        unclip_ratio: how far a box grows; distance = area * ratio / perimeter.
        max_candidates: the largest number of contours looked at.

    Returns:
        int32 quads clipped to the page (0..width and 0..height inclusive), those without a whole pixel left
        out, and float32 scores.
    """
    mask = (probability > thresh).astype(np.uint8)
    contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    quads, scores = [], []
    for contour in contours[:max_candidates]:
        quad, short_side = min_area_quad(contour)
        if short_side < MIN_SIDE_PX:
            continue
        score = box_score(probability, quad)
        if score < box_thresh:
            continue
        expanded, short_side = unclip(quad, unclip_ratio)
        if short_side < MIN_EXPANDED_SIDE_PX:
            continue
        quads.append(_to_page(expanded, probability.shape, source_size))
        scores.append(score)
    return _in_reading_order(quads, scores, max_candidates_reached=len(contours) > max_candidates)


def _in_reading_order(
    quads: list[Quads], scores: list[float], *, max_candidates_reached: bool
) -> DetectedBoxes:
    stacked = np.array(quads, dtype=np.int32).reshape(-1, 4, 2)
    # PaddleX drops a box that nothing can be cut out of when it cuts, after sorting.
    order = [i for i in reading_order(stacked) if _has_area(stacked[i])]
    return DetectedBoxes(stacked[order], np.array(scores, dtype=np.float32)[order], max_candidates_reached)


def _has_area(quad: Quads) -> bool:
    corners, _ = min_area_quad(quad)
    return 0 not in upright_size(corners)


def box_score(probability: Floats, quad: Floats) -> float:
    """Mean probability inside a quad ("fast" score), the quad's corners truncated to whole pixels."""
    height, width = probability.shape
    x_min, y_min = np.floor(quad.min(axis=0)).astype(np.int32)
    x_max, y_max = np.ceil(quad.max(axis=0)).astype(np.int32)
    x_min, x_max = np.clip([x_min, x_max], 0, width - 1)
    y_min, y_max = np.clip([y_min, y_max], 0, height - 1)
    mask = np.zeros((y_max - y_min + 1, x_max - x_min + 1), dtype=np.uint8)
    cv2.fillPoly(mask, [(quad - (x_min, y_min)).astype(np.int32)], 1)
    return float(cv2.mean(probability[y_min : y_max + 1, x_min : x_max + 1], mask)[0])


def unclip(quad: Floats, unclip_ratio: float) -> tuple[Floats, float]:
    """Grow a quad by area * ratio / perimeter and put a rectangle around the result.

    Returns:
        float32 [4, 2] and its short side in pixels; a short side of 0 where nothing is left.
    """
    perimeter = cv2.arcLength(quad, closed=True)
    distance = cv2.contourArea(quad) * unclip_ratio / perimeter
    offset = pyclipper.PyclipperOffset()
    # pyclipper works on integers and truncates; so does PaddleX through it.
    offset.AddPath(quad.tolist(), pyclipper.JT_ROUND, pyclipper.ET_CLOSEDPOLYGON)
    expanded = offset.Execute(distance)
    if len(expanded) != 1:
        return quad, 0.0
    return min_area_quad(np.array(expanded[0], dtype=np.int32))


def _to_page(quad: Floats, map_size: tuple[int, ...], page_size: tuple[int, int]) -> Quads:
    """Scale a quad from the map to the page, round half to even, clip to the page's edges inclusive."""
    map_height, map_width = map_size
    height, width = page_size
    x = np.clip(np.round(quad[:, 0] / map_width * width), 0, width)
    y = np.clip(np.round(quad[:, 1] / map_height * height), 0, height)
    return np.stack([x, y], axis=1).astype(np.int32)  # type: ignore[no-any-return]
