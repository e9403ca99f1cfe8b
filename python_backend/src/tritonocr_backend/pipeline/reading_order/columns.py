"""Column gutters: which vertical white spaces part columns of running text, and which part a table's cells.

A gutter alone is not enough: the lines of a table, a form or a price list leave white space too, but are
read row by row. Columns are recognised by the lines of each side: they are long, without numbers and labels,
and either off the other side's base lines, or running text on common base lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tritonocr_backend.pipeline.reading_order.frame import TALL_RATIO
from tritonocr_backend.pipeline.reading_order.text_traits import TextTraits

Indices = NDArray[np.intp]

_INSET = 0.15  # of a height
_LEAST_LINES = 2
_LEAST_LENGTH = 4.0  # median length of a column's lines, in heights
_MOST_NUMBERS = 0.4
_MOST_LABELS = 0.35
_TALL = 3.0  # times the median height of the page
_LEAST_ITEMS = 3
_SIMILAR_LENGTH = 1.6
_ON_BASE_LINE = 0.25  # in heights
_ALIGNED_SHARE = 0.7
_BESIDE = 1.0  # in heights
_BESIDE_SHARE = 0.5
_LEAST_PROSE = 0.5
_LEAST_LOWER = 0.25
_FULL_LINE = 90  # percentile of the lengths
_LEAST_FILL = 0.6
_LEAST_FILL_UNCASED = 0.75


@dataclass(frozen=True)
class Segments:
    """Pieces of text lines in the reading frame: float64 [n, 4] boxes and their traits."""

    boxes: NDArray[np.float64]
    traits: TextTraits

    @cached_property
    def heights(self) -> NDArray[np.float64]:
        """float64 [n], pixels."""
        heights: NDArray[np.float64] = np.maximum(self.boxes[:, 3] - self.boxes[:, 1], 1e-9)
        return heights

    @cached_property
    def centers(self) -> NDArray[np.float64]:
        """float64 [n] of the vertical centres, pixels."""
        centers: NDArray[np.float64] = (self.boxes[:, 1] + self.boxes[:, 3]) / 2
        return centers

    @cached_property
    def spans(self) -> list[tuple[float, float]]:
        """Left and right end of each segment's core in pixels: detection grows boxes into gutters."""
        widths = self.boxes[:, 2] - self.boxes[:, 0]
        inset = np.minimum(_INSET * self.heights, widths / 4)
        return list(zip(*(self.boxes[:, [0, 2]] + np.stack([inset, -inset], axis=1)).T.tolist(), strict=True))


def are_columns(segments: Segments, left: Indices, right: Indices) -> bool:
    """Return whether the segments on the two sides of a gutter are columns of running text."""
    sides = (left, right)
    if not (len(left) and len(right)):
        return False
    if is_perpendicular(segments, left) != is_perpendicular(segments, right):
        return True
    if not all(_may_be_column(segments, side) for side in sides):
        return False
    distances = _distances(segments, *sides)
    if np.mean(distances <= _BESIDE) < _BESIDE_SHARE:
        return False
    if np.mean(distances <= _ON_BASE_LINE) < _ALIGNED_SHARE:
        return True
    return all(_is_running_text(segments, side) for side in sides)


def is_perpendicular(segments: Segments, members: Indices) -> bool:
    """Return whether segments run across the page's direction, as a title above vertical columns does."""
    boxes = segments.boxes[members]
    widths, heights = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    return bool(
        (heights > TALL_RATIO * widths).all() and (heights > _TALL * np.median(segments.heights)).all()
    )


def are_parallel_lists(segments: Segments, left: Sequence[Indices], right: Sequence[Indices]) -> bool:
    """Return whether two price lists are side by side, such as the two halves of a menu.

    Args:
        segments: all segments of the page.
        left: the cells of the left list, from left to right: names, then numbers.
        right: those of the right list.
    """
    cells = [*left, *right]
    if len(left) != len(right) or min(map(len, cells)) < _LEAST_ITEMS:
        return False
    numbers = [segments.traits.is_number[cell] for cell in cells]
    is_number_cell = [bool(cell.all()) for cell in numbers]
    is_name_cell = [not cell.any() for cell in numbers]
    half = len(left)
    if not all(is_name_cell[start] and is_number_cell[start + half - 1] for start in (0, half)):
        return False
    lengths = sorted(
        float(np.median(np.ptp(segments.boxes[side[0]][:, [0, 2]], axis=1))) for side in (left, right)
    )
    return lengths[1] <= _SIMILAR_LENGTH * lengths[0]


def _may_be_column(segments: Segments, side: Indices) -> bool:
    if len(side) < _LEAST_LINES:
        return False
    traits = segments.traits
    lengths = (segments.boxes[side, 2] - segments.boxes[side, 0]) / segments.heights[side]
    return bool(
        np.median(lengths) >= _LEAST_LENGTH
        and traits.is_number[side].mean() <= _MOST_NUMBERS
        and traits.is_label[side].mean() <= _MOST_LABELS
    )


def _distances(segments: Segments, left: Indices, right: Indices) -> NDArray[np.float64]:
    """Vertical distance of each line of the side with fewer lines to the nearest of the other, in heights."""
    few, many = (left, right) if len(left) <= len(right) else (right, left)
    centers, others = segments.centers[few], np.sort(segments.centers[many])
    after = np.searchsorted(others, centers).clip(0, len(others) - 1)
    before = (after - 1).clip(0)
    nearest = np.minimum(np.abs(others[after] - centers), np.abs(others[before] - centers))
    distances: NDArray[np.float64] = nearest / segments.heights[few]
    return distances


def _is_running_text(segments: Segments, side: Indices) -> bool:
    """Return whether the lines are prose: they mostly fill the column and continue in lower case."""
    traits, boxes = segments.traits, segments.boxes[side]
    if traits.is_prose[side].mean() < _LEAST_PROSE:
        return False
    widths = boxes[:, 2] - boxes[:, 0]
    fill = float(
        np.median(widths) / np.percentile(widths, _FULL_LINE)
    )  # the side can contain several columns
    cased = side[traits.has_case[side]]
    if 2 * len(cased) >= len(side):
        return fill >= _LEAST_FILL and bool(traits.starts_lower[cased].mean() >= _LEAST_LOWER)
    return fill >= _LEAST_FILL_UNCASED
