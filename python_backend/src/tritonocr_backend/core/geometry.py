"""Quads: their corner order, their reading order and their bounding boxes."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from tritonocr_backend.core.arrays import Floats, Ints, Quads

SAME_ROW_PX = 10


def min_area_quad(points: NDArray[np.generic]) -> tuple[Floats, float]:
    """The smallest rotated rectangle around points, and the length of its short side.

    Args:
        points: [n, 2] or [n, 1, 2], int32 or float32.

    Returns:
        float32 [4, 2] in the order top left, top right, bottom right, bottom left as PaddleX orders them
        (by x, then by y within the left and the right pair), and the short side in pixels.
    """
    rectangle = cv2.minAreaRect(points)
    corners = cv2.boxPoints(rectangle)
    by_x = corners[np.argsort(corners[:, 0], kind="stable")]
    left, right = by_x[:2], by_x[2:]
    top_left, bottom_left = left if left[1, 1] > left[0, 1] else left[::-1]
    top_right, bottom_right = right if right[1, 1] > right[0, 1] else right[::-1]
    return np.stack([top_left, top_right, bottom_right, bottom_left]), min(rectangle[1])


def upright_size(corners: Floats) -> tuple[int, int]:
    """Width and height in whole pixels of what a rectangle [4, 2] encloses, stood upright."""
    top_left, top_right, bottom_right, bottom_left = corners
    width = max(np.linalg.norm(top_left - top_right), np.linalg.norm(bottom_right - bottom_left))
    height = max(np.linalg.norm(top_left - bottom_left), np.linalg.norm(top_right - bottom_right))
    return int(width), int(height)


def reading_order(quads: Quads) -> NDArray[np.intp]:
    """Indices that put quads in PaddleX's reading order.

    By (y, x) of the top left corner; then, going backward, neighbours swap while their y differ by less than
    `SAME_ROW_PX` and the later one stands further left.
    """
    corners = quads[:, 0].tolist()
    order = sorted(range(len(corners)), key=lambda i: (corners[i][1], corners[i][0]))
    for i in range(len(order) - 1):
        for j in range(i, -1, -1):
            (x, y), (next_x, next_y) = corners[order[j]], corners[order[j + 1]]
            if abs(next_y - y) >= SAME_ROW_PX or next_x >= x:
                break
            order[j], order[j + 1] = order[j + 1], order[j]
    return np.array(order, dtype=np.intp)


def bounding_boxes(quads: Quads) -> Ints:
    """int32 [n, 4] of [x_min, y_min, x_max, y_max] around quads [n, 4, 2]."""
    return np.concatenate([quads.min(axis=1), quads.max(axis=1)], axis=1, dtype=np.int32)
