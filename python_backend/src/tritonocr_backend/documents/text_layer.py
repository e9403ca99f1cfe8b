"""The text layer of a page: text in the file, with its position on the rendered page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_UNMAPPED_SHARE = 0.02  # of the visible characters; more means that the fonts have no Unicode map


@dataclass(frozen=True, eq=False)
class LayerWord:
    """A word of the text layer; `quad` is int32 [4, 2] in pixels, clockwise from the top left."""

    text: str
    quad: NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class LayerLine:
    """A line of the text layer.

    Attributes:
        words: the words, in the order of the file.
        quad: int32 [4, 2] in pixels, clockwise from the top left.
    """

    words: tuple[LayerWord, ...]
    quad: NDArray[np.int32]

    @property
    def text(self) -> str:
        """The words, separated by blanks."""
        return " ".join(word.text for word in self.words)


@dataclass(frozen=True, eq=False)
class TextLayer:
    """The text layer of a page. Coordinates are pixels of the page as it is rendered.

    Attributes:
        size: (height, width) of the rendered page.
        lines: the visible lines. If the page has none, the hidden ones, which an earlier OCR wrote.
        is_sound: whether the lines are the text that a reader sees: visible, on the page, with Unicode, and
            not cut at the limits of `pdf_text`.
        regions: float64 [n, 4] boxes x_min, y_min, x_max, y_max of pictures and outlined characters, whose
            text the layer lacks.
    """

    size: tuple[int, int]
    lines: tuple[LayerLine, ...]
    is_sound: bool
    regions: NDArray[np.float64]

    @classmethod
    def from_answer(
        cls, answer: Mapping[str, Any], quads: NDArray[np.float64], size: tuple[int, int], scale: float
    ) -> TextLayer:
        """Build the layer from the PDF worker's answer.

        Args:
            answer: see `pdf_text.read_text`.
            quads: float64 [lines + words, 4, 2], the answer's quads.
            size: (height, width) of the rendered page in pixels.
            scale: pixels per unit of page space.
        """
        visible, unmapped = answer["visible"], answer["unmapped"]
        is_readable = visible > answer["outside"] and unmapped <= MAX_UNMAPPED_SHARE * (visible + unmapped)
        is_sound = is_readable and answer["is_complete"]
        height, width = size
        points = np.clip(np.rint(quads * scale), 0, [width - 1, height - 1]).astype(np.int32)
        regions = np.array(answer["regions"], dtype=np.float64).reshape(-1, 4) * scale
        return cls(size, tuple(_lines(answer, points, is_hidden=not visible)), is_sound, regions)


def _lines(answer: Mapping[str, Any], quads: NDArray[np.int32], *, is_hidden: bool) -> Iterator[LayerLine]:
    """Yield the visible or the hidden lines; `quads` has those of the lines, then those of the words."""
    word_quads = iter(quads[len(answer["lines"]) :])
    for texts, quad, is_line_hidden in zip(answer["lines"], quads, answer["hidden"], strict=False):
        words = tuple(map(LayerWord, texts, word_quads))
        if is_line_hidden == is_hidden:
            yield LayerLine(words, quad)
