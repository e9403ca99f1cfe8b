"""Group lines that are side by side into rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import floor, frexp, inf

import numpy as np
from numpy.typing import NDArray

_HEIGHT_RATIO = 2.0
_ROWS_PER_CELL = 32
_PRUNED_FROM = 4  # ends; fewer are not searched for those that are too far to the left


def chain_rows(boxes: NDArray[np.float64], max_gap: float = inf) -> list[list[int]]:
    """Group boxes that are side by side into rows, from top to bottom, each row from left to right.

    Rows grow from left to right, so that a row may slope and bend: a box extends the row whose last box it
    stands beside. If it stands beside several, it extends the row whose last box is nearest in height. Two
    boxes stand beside each other if the vertical centre of each lies within the other's height, neither is
    over twice as high, and they overlap horizontally by at most half a height.

    Args:
        boxes: float64 [n, 4] in the reading frame.
        max_gap: widest gap between neighbours of a row, as a multiple of the lower height and of the lesser
            width.

    Returns:
        Indices into `boxes`, each exactly once. O(n log n): a grid finds the rows nearby.
    """
    rows: list[list[int]] = []
    ends = _RowEnds(max_gap)
    values = boxes.tolist()
    for index in np.lexsort((boxes[:, 1], boxes[:, 0])).tolist():
        row = ends.take_nearest(values[index])
        if row is None:
            row = len(rows)
            rows.append([])
        rows[row].append(index)
        ends.add(values[index], row)
    if not rows:
        return []
    by_center = np.argsort(joint_boxes(boxes, rows)[:, [1, 3]].sum(axis=1), kind="stable")
    return [rows[row] for row in by_center.tolist()]


def joint_boxes(
    boxes: NDArray[np.float64], groups: Sequence[Sequence[int] | NDArray[np.intp]]
) -> NDArray[np.float64]:
    """Return float64 [groups, 4]: from the first to the last box of each group, at their mean top and bottom.

    Args:
        boxes: float64 [n, 4].
        groups: indices into `boxes`; no group is empty.
    """
    counts = np.array([len(group) for group in groups])
    starts = np.cumsum(counts) - counts
    members = boxes[np.concatenate([np.asarray(group, dtype=np.intp) for group in groups])]
    return np.stack(
        [
            np.minimum.reduceat(members[:, 0], starts),
            np.add.reduceat(members[:, 1], starts) / counts,
            np.maximum.reduceat(members[:, 2], starts),
            np.add.reduceat(members[:, 3], starts) / counts,
        ],
        axis=1,
    )


_End = tuple[float, float, float, float, int]
"""The last box of a row: its vertical centre, height, width and right edge; and the number of the row."""


class _RowEnds:
    """The last boxes of rows, in a grid that finds those beside a box. Boxes come from left to right."""

    def __init__(self, max_gap: float) -> None:
        self._max_gap = max_gap
        self._cells: dict[tuple[int, int], list[_End]] = {}

    def add(self, box: list[float], row: int) -> None:
        """Add the last box of a row."""
        left, top, right, bottom = box
        height, center = bottom - top, (top + bottom) / 2
        level = frexp(height)[1]
        end = center, height, right - left, right, row
        held = self._cells.setdefault((level, floor(center / 2.0**level)), [])
        held.append(end)
        del held[:-_ROWS_PER_CELL]

    def take_nearest(self, box: list[float]) -> int | None:
        """Remove the last box that stands beside a box and is nearest in height; return its row."""
        left, top, right, bottom = box
        height, center = bottom - top, (top + bottom) / 2
        nearest: tuple[float, int] = inf, 0
        found: tuple[list[_End], _End] | None = None
        for held in self._near(center, height, left):
            for end in held:
                distance = abs(end[0] - center)
                if (distance, end[4]) < nearest and self._is_beside(
                    end, height, right - left, left, distance
                ):
                    nearest, found = (distance, end[4]), (held, end)
        if found is None:
            return None
        found[0].remove(found[1])
        return nearest[1]

    def _near(self, center: float, height: float, left: float) -> Iterator[list[_End]]:
        """Yield the cells of all ends that could stand beside a box: at most twice as high, half a height up.

        A cell is a power of two above the height, and the centre in units of it.
        """
        level, half = frexp(height)[1], height / 2
        for size in (level - 1, level, level + 1):
            unit = 2.0**size
            for cell in range(floor((center - half) / unit), floor((center + half) / unit) + 1):
                held = self._cells.get((size, cell))
                if held is None:
                    continue
                if len(held) > _PRUNED_FROM and self._max_gap < inf:
                    held[:] = [end for end in held if left - end[3] <= self._max_gap * end[1]]
                yield held

    def _is_beside(self, end: _End, height: float, width: float, left: float, distance: float) -> bool:
        _, end_height, end_width, end_right, _ = end
        lower, higher = (height, end_height) if height < end_height else (end_height, height)
        gap = left - end_right
        return (
            distance < lower / 2
            and higher <= _HEIGHT_RATIO * lower
            and -lower / 2 <= gap
            and (gap <= 0 or gap <= self._max_gap * max(min(lower, end_width, width), 1e-9))
        )
