"""Text detection around the network: resize the page, and turn the probability map into boxes.

The method is DB, "Real-time Scene Text Detection with Differentiable Binarization" (Liao et al., 2020).
Constants and rounding are those of PaddleX 3.0.0rc0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
import pyclipper
from numpy.typing import NDArray

from tritonocr_backend.core.arrays import Floats, Image, Quads
from tritonocr_backend.core.contracts import STRIDE_PX
from tritonocr_backend.core.geometry import min_area_quad, reading_order
from tritonocr_backend.pipeline.line_geometry import line_rectangle

MIN_PADDED_SIDES_PX = 64
MAX_SIDE_LIMIT_PX = 4000
MIN_SIDE_PX = 3
MIN_EXPANDED_SIDE_PX = MIN_SIDE_PX + 2
MAX_SCORED_PIXELS = 1 << 30
"""Maximum number of map pixels inside the bounding boxes of all candidates of a page."""
MAX_CONTOURS = 1 << 18
"""Contours that are found on a map; OpenCV and Python need about 2 KB for each."""

LimitType = Literal["max", "min"]


@dataclass(frozen=True)
class DetectedBoxes:
    """Boxes of one page in PaddleX's reading order.

    Attributes:
        quads: int32 [n, 4, 2] in pixels of the page.
        scores: float32 [n], mean probability in each box.
        max_candidates_reached: whether the page may have more boxes than were examined.
    """

    quads: Quads
    scores: Floats
    max_candidates_reached: bool


def resize_for_detection(
    page: Image, size: tuple[int, int], limit_side_len: int, limit_type: LimitType
) -> Image:
    """Scale a page for the detection network; both sides become multiples of 32 px.

    Args:
        page: uint8 [H, W, 3].
        size: (height, width) of the page as given, in pixels; larger than (H, W) if the page was decoded at a
            reduced resolution.
        limit_side_len: pixels.
        limit_type: `max` shrinks until the longest side fits, `min` enlarges until the shortest side does.

    Returns:
        uint8 [H', W', 3], both sides multiples of 32 and at least 32. No side exceeds about 4000 px, which is
        max_side_limit of PaddleX 3.0.0.
    """
    height, width = size
    if height + width < MIN_PADDED_SIDES_PX:
        page = _padto_stride(page)
        height, width = page.shape[:2]
    ratio = limit_ratio(height, width, limit_side_len, limit_type)
    return np.asarray(
        cv2.resize(page, (to_stride(int(width * ratio)), to_stride(int(height * ratio)))), dtype=np.uint8
    )


def limit_ratio(height: int, width: int, limit_side_len: int, limit_type: LimitType) -> float:
    """Return the scale at which PaddleX sends a page of this size in pixels to the network."""
    longest, shortest = max(height, width), min(height, width)
    ratio = 1.0
    if limit_type == "max" and longest > limit_side_len:
        ratio = limit_side_len / longest
    elif limit_type == "min" and shortest < limit_side_len:
        ratio = limit_side_len / shortest
    return min(ratio, MAX_SIDE_LIMIT_PX / longest)


def to_stride(side_px: float) -> int:
    """Round a side in pixels to a multiple of 32, at least 32."""
    return max(round(side_px / STRIDE_PX) * STRIDE_PX, STRIDE_PX)


def _padto_stride(page: Image) -> Image:
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
    exact: bool,
    checkpoint: Callable[[], None] = lambda: None,
) -> DetectedBoxes:
    """Turn a probability map into boxes on the page.

    The work is bounded: by `max_candidates`, by MAX_CONTOURS, and by MAX_SCORED_PIXELS for the score of all
    boxes, since nested or slanted boxes may each span the whole map. The result says if one of the bounds was
    reached.

    Args:
        probability: float32 [H', W'] in 0..1.
        source_size: (height, width) of the page in pixels.
        thresh: a map pixel is text if its probability exceeds this.
        box_thresh: a box is kept if its mean probability is at least this.
        unclip_ratio: how far a box grows; distance = area * ratio / perimeter.
        max_candidates: the largest number of contours that are examined.
        exact: whether corners are ordered as PaddleX orders them.
        checkpoint: called for each contour; it raises an exception to stop the work.

    Returns:
        int32 quads clipped to the page (0..width and 0..height inclusive), without those that have no area in
        whole pixels, and float32 scores.
    """
    mask = (probability > thresh).astype(np.uint8)
    is_cut = clear_excess(mask)
    contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    examined, boxes = _boxes(
        contours[:max_candidates], probability, box_thresh, unclip_ratio, exact=exact, checkpoint=checkpoint
    )
    quads = [_to_page(quad, probability.shape, source_size) for quad, _ in boxes]
    scores = np.array([score for _, score in boxes], np.float32)
    stacked = np.array(quads, np.int32).reshape(-1, 4, 2)
    # PaddleX drops a box without an area when it cuts the line, after sorting.
    order = [i for i in reading_order(stacked) if line_rectangle(stacked[i], exact=exact) is not None]
    return DetectedBoxes(stacked[order], scores[order], is_cut or examined < len(contours))


def _boxes(
    contours: Sequence[NDArray[np.integer[Any]]],
    probability: Floats,
    box_thresh: float,
    unclip_ratio: float,
    *,
    exact: bool,
    checkpoint: Callable[[], None],
) -> tuple[int, list[tuple[Floats, float]]]:
    """Return how many contours were examined, and the quads in map pixels and scores of the boxes kept."""
    examined, scored_px = 0, 0
    boxes = []
    for contour in contours:
        checkpoint()
        if scored_px > MAX_SCORED_PIXELS:
            break
        examined += 1
        quad, short_side = min_area_quad(contour, exact=exact)
        if short_side < MIN_SIDE_PX:
            continue
        x_length, y_length = np.ptp(quad, axis=0)
        scored_px += int(x_length * y_length)
        score = box_score(probability, quad)
        if score < box_thresh:
            continue
        expanded, short_side = unclip(quad, unclip_ratio, exact=exact)
        if short_side < MIN_EXPANDED_SIDE_PX:
            continue
        boxes.append((expanded, score))
    return examined, boxes


def clear_excess(mask: NDArray[np.uint8]) -> bool:
    """Clear the upper rows of a mask that has more than MAX_CONTOURS contours; return whether it had.

    Each contour has a row in which a run of pixels starts at it, and runs are counted fast. OpenCV returns
    the lowest contours first, so the upper ones are those that `max_candidates` leaves out.

    Args:
        mask: uint8 [H, W] of 0 and 1; changed in place.
    """
    if mask.size <= 2 * MAX_CONTOURS:  # each run needs two pixels
        return False
    starts = np.count_nonzero(mask[:, 1:] > mask[:, :-1], axis=1) + mask[:, 0]
    from_below = np.cumsum(starts[::-1], dtype=np.int64)
    kept_rows = int(np.searchsorted(from_below, MAX_CONTOURS, side="right"))
    mask[: len(mask) - kept_rows] = 0
    return kept_rows < len(mask)


def box_score(probability: Floats, quad: Floats) -> float:
    """Return the mean probability inside a quad ("fast" score), corners truncated to whole pixels."""
    height, width = probability.shape
    x_min, y_min = np.floor(quad.min(axis=0)).astype(np.int32)
    x_max, y_max = np.ceil(quad.max(axis=0)).astype(np.int32)
    x_min, x_max = np.clip([x_min, x_max], 0, width - 1)
    y_min, y_max = np.clip([y_min, y_max], 0, height - 1)
    mask = np.zeros((y_max - y_min + 1, x_max - x_min + 1), dtype=np.uint8)
    cv2.fillPoly(mask, [(quad - (x_min, y_min)).astype(np.int32)], 1)
    return float(cv2.mean(probability[y_min : y_max + 1, x_min : x_max + 1], mask)[0])


def unclip(quad: Floats, unclip_ratio: float, *, exact: bool) -> tuple[Floats, float]:
    """Grow a quad by area * ratio / perimeter and put a rectangle around the result.

    Args:
        quad: float32 [4, 2].
        unclip_ratio: see `db_postprocess`.
        exact: see `db_postprocess`.

    Returns:
        float32 [4, 2] and its short side in pixels; a short side of 0 if nothing is left.
    """
    perimeter = cv2.arcLength(quad, closed=True)
    distance = cv2.contourArea(quad) * unclip_ratio / perimeter
    offset = pyclipper.PyclipperOffset()
    # pyclipper works on integers and truncates; so does PaddleX through it.
    offset.AddPath(quad.tolist(), pyclipper.JT_ROUND, pyclipper.ET_CLOSEDPOLYGON)
    expanded = offset.Execute(distance)
    if len(expanded) != 1:
        return quad, 0.0
    return min_area_quad(np.array(expanded[0], dtype=np.int32), exact=exact)


def _to_page(quad: Floats, map_size: tuple[int, ...], page_size: tuple[int, int]) -> Quads:
    """Scale a quad from the map to the page, round half to even, clip to the page's edges inclusive."""
    map_height, map_width = map_size
    height, width = page_size
    x = np.clip(np.round(quad[:, 0] / map_width * width), 0, width)
    y = np.clip(np.round(quad[:, 1] / map_height * height), 0, height)
    corners: Quads = np.stack([x, y], axis=1).astype(np.int32)
    return corners
