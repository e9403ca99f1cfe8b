"""Rows: lines that stand side by side."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from math import floor, frexp, inf

import numpy as np
from numpy.typing import NDArray

_HEIGHT_RATIO = 2.0
_ROWS_PER_CELL = 32


def chain_rows(boxes: NDArray[np.float64], max_gap: float = inf) -> list[list[int]]:
    """Group boxes that stand side by side into rows, from top to bottom, each from left to right.

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
    ends: dict[tuple[int, int], list[int]] = defaultdict(list)
    values = boxes.tolist()
    for index in np.lexsort((boxes[:, 1], boxes[:, 0])).tolist():
        box = values[index]
        cells = _cells_nearby(box)
        nearby = [row for cell in cells if cell in ends for row in ends[cell][-_ROWS_PER_CELL:]]
        row = min(
            (row for row in nearby if _is_beside(values[rows[row][-1]], box, max_gap)),
            key=lambda row: (abs(_center(values[rows[row][-1]]) - _center(box)), row),
            default=None,
        )
        if row is None:
            row = len(rows)
            rows.append([index])
        else:
            ends[_cell(values[rows[row][-1]])].remove(row)
            rows[row].append(index)
        ends[_cell(box)].append(row)
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


def _center(box: list[float]) -> float:
    return (box[1] + box[3]) / 2


def _level(box: list[float]) -> int:
    return frexp(box[3] - box[1])[1]


def _cell(box: list[float]) -> tuple[int, int]:
    """Cell of the grid: a power of two above the height, and the centre in units of it."""
    level = _level(box)
    return level, floor(_center(box) / 2.0**level)


def _cells_nearby(box: list[float]) -> list[tuple[int, int]]:
    """Cells of all boxes that could stand beside a box: at most twice as high, half a height away."""
    half, center, level = (box[3] - box[1]) / 2, _center(box), _level(box)
    return [
        (size, cell)
        for size in (level - 1, level, level + 1)
        for cell in range(floor((center - half) / 2.0**size), floor((center + half) / 2.0**size) + 1)
    ]


def _is_beside(end: list[float], box: list[float], max_gap: float) -> bool:
    heights = end[3] - end[1], box[3] - box[1]
    lower, gap = min(heights), box[0] - end[2]
    return (
        max(heights) <= _HEIGHT_RATIO * lower
        and abs(_center(end) - _center(box)) < lower / 2
        and -lower / 2 <= gap
        and (gap <= 0 or gap <= max_gap * max(min(lower, end[2] - end[0], box[2] - box[0]), 1e-9))
    )
