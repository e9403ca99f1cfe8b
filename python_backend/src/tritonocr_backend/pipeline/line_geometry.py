"""The rectangle of a text line in the direction of reading, and the parts of that rectangle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonocr_backend.core.arrays import Floats, Quads
from tritonocr_backend.core.geometry import TALL_RATIO, min_area_quad, upright_size


@dataclass(frozen=True)
class LineRectangle:
    """The rectangle around a line, along the direction of the line.

    Attributes:
        corners: float32 [4, 2] in pixels: the line's top left, top right, bottom right and bottom left. The
            line is read from the first corner to the second one, unless the line is upside down.
        width: whole pixels along the direction of reading.
        height: whole pixels across it.
        is_tall: whether the box is tall, so that the line is read downwards.
    """

    corners: Floats
    width: int
    height: int
    is_tall: bool


def line_rectangle(quad: Quads, *, exact: bool) -> LineRectangle | None:
    """Return the rectangle of a detected box, or None where the box has no area.

    Args:
        quad: int32 [4, 2].
        exact: whether the corners are ordered as PaddleX orders them.
    """
    corners, _ = min_area_quad(quad.astype(np.int32), exact=exact)
    width, height = upright_size(corners)
    if width == 0 or height == 0:
        return None
    if height >= TALL_RATIO * width:
        return LineRectangle(np.roll(corners, -1, axis=0), height, width, is_tall=True)
    return LineRectangle(corners, width, height, is_tall=False)


def paddlex_word_frame(quad: Quads, *, is_tall: bool) -> Floats:
    """Return the upright rectangle along which PaddleX places the words of a line.

    PaddleX takes the left and upper edge from the first corner of the box, the right edge from the second one
    and the lower edge from the third one.

    Args:
        quad: int32 [4, 2].
        is_tall: whether the line is read downwards. PaddleX places its words from left to right all the same.

    Returns:
        float32 [4, 2] in the direction of reading.
    """
    (x, y), (x_end, _), (_, y_end), _ = quad.tolist()
    frame = np.array([[x, y], [x_end, y], [x_end, y_end], [x, y_end]], dtype=np.float32)
    return np.roll(frame, -1, axis=0) if is_tall else frame


def parts_of_line(corners: Floats, spans: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Return the quads of parts of a line, for instance of its words.

    Args:
        corners: float32 [4, 2] in the direction of reading, as `LineRectangle.corners`.
        spans: [n, 2], start and end of each part as fractions of the line's width.

    Returns:
        float64 [n, 4, 2], corners in the order of `corners`.
    """
    top_left, top_right, bottom_right, bottom_left = corners.astype(np.float64)
    start, end = spans[:, :1].astype(np.float64), spans[:, 1:].astype(np.float64)
    top, bottom = top_right - top_left, bottom_right - bottom_left
    starts = top_left + start * top, bottom_left + start * bottom
    ends = top_left + end * top, bottom_left + end * bottom
    return np.stack([starts[0], ends[0], ends[1], starts[1]], axis=1)
