"""The layout of a page as the server found it, and the direction of each line."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class TextBlock:
    """Rows of lines that belong together.

    Attributes:
        kind: "heading", "paragraph", "table", "header", "footer", "page_number" or "footnote".
        rows: the rows in reading order. Each row holds the indices of its lines in reading order; the indices
            refer to `rec_texts` and the other lists of lines.
    """

    kind: str
    rows: tuple[tuple[int, ...], ...]

    @property
    def lines(self) -> tuple[int, ...]:
        """The indices of all lines in reading order."""
        return tuple(line for row in self.rows for line in row)


def text_blocks(
    reading_order: Sequence[int],
    row_index: Sequence[int],
    block_index: Sequence[int],
    block_kind: Sequence[str],
) -> list[TextBlock]:
    """Return the blocks of a page in reading order; each argument has one entry per line."""
    order = np.argsort(np.asarray(reading_order, dtype=np.intp), kind="stable").tolist()
    blocks = (list(lines) for _, lines in groupby(order, key=lambda line: block_index[line]))
    return [
        TextBlock(
            block_kind[lines[0]],
            tuple(tuple(row) for _, row in groupby(lines, key=lambda line: row_index[line])),
        )
        for lines in blocks
    ]


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
    """Return whether the first character with a direction is right-to-left (Unicode Annex 9, rule P2)."""
    directions = (unicodedata.bidirectional(character) for character in text)
    strong = (direction for direction in directions if direction in ("L", "R", "AL"))
    return next(strong, "L") != "L"
