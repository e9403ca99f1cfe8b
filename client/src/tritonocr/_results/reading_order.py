"""How a page is read: the order of its lines, and the direction of each."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def reading_rows(boxes: NDArray[np.integer[Any]]) -> list[list[int]]:
    """Group lines that stand side by side into rows, rows from top to bottom, lines from left to right.

    Rows grow from left to right: a line goes on the row whose end it stands beside, of several the one whose
    end is nearest in height, so that rows may slope and bend. Columns of running text are not told apart:
    their lines alternate.

    Args:
        boxes: [n,4] xmin, ymin, xmax, ymax in pixels.

    Returns:
        Indices into `boxes`, each exactly once.
    """
    pixels = boxes.astype(np.int64)
    centers = (pixels[:, 1] + pixels[:, 3]) / 2
    rows: list[list[int]] = []
    for line in np.argsort(pixels[:, 0], kind="stable").tolist():
        ends = np.array([row[-1] for row in rows], dtype=np.intp)
        beside = np.flatnonzero(_goes_on(pixels[ends], pixels[line]))
        if beside.size:
            rows[beside[np.abs(centers[ends[beside]] - centers[line]).argmin()]].append(line)
        else:
            rows.append([line])
    return sorted(rows, key=lambda row: float(centers[row].mean()))


def paragraphs(boxes: NDArray[np.integer[Any]]) -> list[list[list[int]]]:
    """Group rows into paragraphs, parted where the gap between rows is higher than the lower of the two.

    Args:
        boxes: [n,4] xmin, ymin, xmax, ymax in pixels.

    Returns:
        Paragraphs of rows of indices into `boxes`.
    """
    found: list[list[list[int]]] = []
    for row in reading_rows(boxes):
        if found and not _parted(boxes[found[-1][-1]], boxes[row]):
            found[-1].append(row)
        else:
            found.append([row])
    return found


def _parted(above: NDArray[Any], below: NDArray[Any]) -> bool:
    gap = int(below[:, 1].min()) - int(above[:, 3].max())
    heights = (int(np.ptp(row[:, [1, 3]])) for row in (above, below))
    return gap > min(heights)


def _goes_on(ends: NDArray[np.int64], line: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of the boxes [n,4] the box [4] stands beside, to the right.

    The vertical centre of each lies within the height of the other, neither is over twice as high, and they
    overlap sideways by at most half a height, as grown boxes of neighbouring words do.
    """
    heights, height = ends[:, 3] - ends[:, 1], line[3] - line[1]
    lower = np.minimum(heights, height)
    centers, center = (ends[:, 1] + ends[:, 3]) / 2, (line[1] + line[3]) / 2
    beside: NDArray[np.bool_] = (
        (np.maximum(heights, height) <= 2 * lower)
        & (np.abs(centers - center) < lower / 2)
        & (ends[:, 2] - line[0] <= lower / 2)
    )
    return beside


def reading_quad(poly: NDArray[Any]) -> NDArray[np.float64]:
    """Roll a line's corners so that its text runs from the first to the second.

    A tall box (as in PaddleX: over twice as high as wide, and over 30 px) is read downwards, its letters
    turned by a quarter.

    Args:
        poly: [4,2] corners clockwise from the top left.
    """
    corners = np.asarray(poly, dtype=np.float64)
    width, height = (float(np.linalg.norm(corners[corner] - corners[0])) for corner in (1, 3))
    return np.roll(corners, -1, axis=0) if height > 2 * width and height > 30 else corners


def reads_right_to_left(text: str) -> bool:
    """Whether the first character with a direction goes right to left (Unicode Annex 9, rule P2)."""
    directions = (unicodedata.bidirectional(character) for character in text)
    strong = (direction for direction in directions if direction in ("L", "R", "AL"))
    return next(strong, "L") != "L"


def joined(texts: Sequence[str]) -> str:
    """Join the texts of a row, given from left to right, in the order in which they are read."""
    from_right = 2 * sum(map(reads_right_to_left, texts)) > len(texts)
    return " ".join(reversed(texts) if from_right else texts)
