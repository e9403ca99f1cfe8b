"""Geometry of quads: corner order, PaddleX's reading order and bounding boxes."""

from __future__ import annotations

import heapq
from math import hypot, radians, tan

import cv2
import numpy as np
from numpy.typing import NDArray

from tritonocr_backend.core.arrays import Floats, Ints, Quads

SAME_ROW_PX = 10

TALL_RATIO = 1.5
"""A box at least this many times as tall as wide holds a line that is read downwards (PaddleX's rule)."""

MAX_COLUMN_LEAN = tan(radians(20))
"""A line within 20 degrees of vertical is a column and is read downwards; other lines are read rightwards."""


def min_area_quad(points: NDArray[np.generic], *, exact: bool) -> tuple[Floats, float]:
    """Return the smallest rotated rectangle around points, and the length of its short side.

    Args:
        points: [n, 2] or [n, 1, 2], int32 or float32.
        exact: whether the corners are ordered as PaddleX orders them; see `order_corners_by_x`.

    Returns:
        float32 [4, 2] in the order top left, top right, bottom right, bottom left, and the short side in
        pixels.
    """
    rectangle = cv2.minAreaRect(points)
    corners = cv2.boxPoints(rectangle)
    order = order_corners_by_x if exact else order_corners
    return order(corners), min(rectangle[1])


def order_corners_by_x(corners: Floats) -> Floats:
    """Order the corners of a rectangle as PaddleX does: by x, then by y within the left and the right pair.

    The first corner is not the top left of the text where a column leans to the bottom left.

    Args:
        corners: float32 [4, 2], in any order.
    """
    by_x = corners[np.argsort(corners[:, 0], kind="stable")]
    left, right = by_x[:2], by_x[2:]
    top_left, bottom_left = left if left[1, 1] > left[0, 1] else left[::-1]
    top_right, bottom_right = right if right[1, 1] > right[0, 1] else right[::-1]
    return np.stack([top_left, top_right, bottom_right, bottom_left])


def order_corners(corners: Floats) -> Floats:
    """Order the corners of a rectangle by its geometry: top left, top right, bottom right, bottom left.

    The top edge of a box that is about square points within 45 degrees of rightwards. The long edge of a line
    points rightwards, or downwards if the line is within 20 degrees of vertical. The result differs from
    PaddleX's for columns that lean less than 20 degrees, but further than their own width; PaddleX reads
    those upwards where they lean to the bottom left.

    Args:
        corners: float32 [4, 2], each next to the one before, as `cv2.boxPoints` returns them.
    """
    points = corners.tolist()
    first, second = _edge(points, 0), _edge(points, 1)
    if first[0] * second[1] - first[1] * second[0] < 0:  # counter-clockwise on the screen
        corners, points = corners[::-1], points[::-1]
        first, second = _edge(points, 0), _edge(points, 1)
    lengths = hypot(*first), hypot(*second)
    along = 0 if lengths[0] >= lengths[1] else 1
    x, y = (first, second)[along]
    if lengths[along] < TALL_RATIO * lengths[1 - along]:
        is_column = abs(x) < abs(y)
    else:
        is_column = abs(x) < abs(y) * max(MAX_COLUMN_LEAN, lengths[1 - along] / max(lengths[along], 1e-6))
    top = 1 - along if is_column else along
    start = top if (first, second)[top][0] >= 0 else top + 2
    return np.concatenate([corners[start:], corners[:start]])


def _edge(points: list[list[float]], index: int) -> tuple[float, float]:
    (x, y), (next_x, next_y) = points[index], points[index + 1]
    return next_x - x, next_y - y


def upright_size(corners: Floats) -> tuple[int, int]:
    """Return width and height in whole pixels of a rectangle [4, 2] in its own directions."""
    top_left, top_right, bottom_right, bottom_left = corners
    width = max(np.linalg.norm(top_left - top_right), np.linalg.norm(bottom_right - bottom_left))
    height = max(np.linalg.norm(top_left - bottom_left), np.linalg.norm(top_right - bottom_right))
    return int(width), int(height)


def reading_order(quads: Quads) -> NDArray[np.intp]:
    """Return the indices that put quads in PaddleX's reading order, in O(n log n).

    PaddleX sorts by (y, x) of the top left corner and then inserts each box into the boxes before it: the box
    moves up past each neighbour that is less than `SAME_ROW_PX` above it and stands further right. A box that
    is too far above stays where it is, and so does everything before it. The boxes after the last such box
    are therefore sorted by x: a heap holds them, and a box leaves the heap when it or a box to its right is
    too far above the next box.

    Args:
        quads: int32 [n, 4, 2].
    """
    x, y = quads[:, 0, 0].tolist(), quads[:, 0, 1].tolist()
    by_row = sorted(range(len(x)), key=lambda i: (y[i], x[i]))
    order: list[int] = []
    is_placed = [False] * len(x)
    row: list[tuple[int, int]] = []
    oldest = 0
    for rank, i in enumerate(by_row):
        while y[by_row[oldest]] <= y[i] - SAME_ROW_PX:
            while not is_placed[oldest]:
                _, placed = heapq.heappop(row)
                is_placed[placed] = True
                order.append(by_row[placed])
            oldest += 1
        heapq.heappush(row, (x[i], rank))
    order += [by_row[rank] for _, rank in sorted(row)]
    return np.array(order, dtype=np.intp)


def bounding_boxes(quads: Quads) -> Ints:
    """Return int32 [n, 4] of [x_min, y_min, x_max, y_max] around quads [n, 4, 2]."""
    return np.concatenate([quads.min(axis=1), quads.max(axis=1)], axis=1, dtype=np.int32)
