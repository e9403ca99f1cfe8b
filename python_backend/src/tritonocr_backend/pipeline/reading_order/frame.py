"""The reading frame: coordinates in which text runs to the right and lines follow each other downward.

One rotation covers tilted pages, pages that lie on a side, vertical Chinese and Japanese (columns from
right to left), and pages that are upside down. Pages of a right-to-left script are mirrored as well.
Everything after this step knows one direction only.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

TALL_RATIO = 2.0
"""A line is vertical if its height exceeds its width by this factor."""


@dataclass(frozen=True)
class ReadingFrame:
    """Lines in the reading frame.

    Attributes:
        boxes: float64 [n, 4] of x_min, y_min, x_max, y_max; pixels, rotated and mirrored.
        page_top: smallest y of the page; likewise `page_bottom`.
        page_left: x at which a line through the middle of the page begins; likewise `page_right`, its end.
        is_right_to_left: whether x is mirrored because most texts are of a right-to-left script.
        is_vertical: whether most text runs along the longer side of tall boxes.
    """

    boxes: NDArray[np.float64]
    page_top: float
    page_bottom: float
    page_left: float
    page_right: float
    is_right_to_left: bool
    is_vertical: bool


def reading_frame(
    quads: NDArray[np.integer[Any] | np.floating[Any]],
    page_size: tuple[int, int],
    texts: Sequence[str] | None = None,
    upside_down: NDArray[np.bool_] | None = None,
) -> ReadingFrame:
    """Rotate lines into the reading frame.

    Args:
        quads: [n, 4, 2] corners (x, y) in the order top left, top right, bottom right, bottom left.
        page_size: height and width of the page in pixels.
        texts: the lines' texts in logical order. Without them every script reads from left to right.
        upside_down: bool [n], True for each line whose text is turned by 180 degrees.
    """
    corners = np.asarray(quads, dtype=np.float64).reshape(-1, 4, 2)
    across = (corners[:, 1] - corners[:, 0] + corners[:, 2] - corners[:, 3]) / 2
    down = (corners[:, 3] - corners[:, 0] + corners[:, 2] - corners[:, 1]) / 2
    width, height = np.linalg.norm(across, axis=1), np.linalg.norm(down, axis=1)
    is_tall = height > TALL_RATIO * width
    is_vertical = bool(height[is_tall].sum() > width[~is_tall].sum())
    along, thickness = (height, width) if is_vertical else (width, height)
    vectors = (down if is_vertical else across)[is_tall == is_vertical]
    weights = along[is_tall == is_vertical]
    direction = _direction(vectors, weights, is_vertical=is_vertical)
    if upside_down is not None and 2 * weights[upside_down[is_tall == is_vertical]].sum() > weights.sum():
        direction = -direction
    mirrored = texts is not None and not is_vertical and mostly_right_to_left(texts)
    axes = np.stack([-direction if mirrored else direction, [-direction[1], direction[0]]], axis=1)
    centers = corners.mean(axis=1) @ axes
    halves = np.stack([along, thickness], axis=1) / 2
    page_y = _page_corners(page_size) @ axes[:, 1]
    left, right = _page_ends(page_size, axes[:, 0])
    boxes = np.concatenate([centers - halves, centers + halves], axis=1)
    return ReadingFrame(boxes, float(page_y.min()), float(page_y.max()), left, right, mirrored, is_vertical)


def _direction(
    vectors: NDArray[np.float64], weights: NDArray[np.float64], *, is_vertical: bool
) -> NDArray[np.float64]:
    """Return the unit vector along the text, at the median angle of the lines weighted by their lengths."""
    base = np.pi / 2 if is_vertical else 0.0
    if not len(vectors):
        return np.array([np.cos(base), np.sin(base)])
    angles = np.arctan2(vectors[:, 1], vectors[:, 0]) - base
    angles = (angles + np.pi) % (2 * np.pi) - np.pi
    order = np.argsort(angles, kind="stable")
    middle = np.searchsorted(np.cumsum(weights[order]), weights.sum() / 2)
    angle = base + angles[order[min(int(middle), len(order) - 1)]]
    return np.array([np.cos(angle), np.sin(angle)])


def _page_corners(page_size: tuple[int, int]) -> NDArray[np.float64]:
    height, width = page_size
    return np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float64)


def _page_ends(page_size: tuple[int, int], axis: NDArray[np.float64]) -> tuple[float, float]:
    """Return where the page begins and ends along an axis through its middle; tilts are small."""
    height, width = page_size
    middle = float(np.array([width / 2, height / 2]) @ axis)
    half = (height if abs(axis[1]) > abs(axis[0]) else width) / 2
    return middle - half, middle + half


def text_direction(text: str) -> int:
    """Return 1 for text from left to right, -1 for right to left, 0 for text without letters."""
    for character in text:
        bidirectional = unicodedata.bidirectional(character)
        if bidirectional == "L":
            return 1
        if bidirectional in ("R", "AL"):
            return -1
    return 0


def mostly_right_to_left(texts: Sequence[str]) -> bool:
    """Return whether more texts run from right to left than from left to right."""
    return sum(map(text_direction, texts)) < 0
