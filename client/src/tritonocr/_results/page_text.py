"""The text of a page as a tree: page, blocks, rows, lines, words, characters.

Every format is written from this tree.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .page import PageRecord
from .reading_order import TextBlock, reading_quad, reads_right_to_left

_SCRIPTS_WITHOUT_SPACES = ("CJK UNIFIED", "HIRAGANA", "KATAKANA")


@dataclass(frozen=True, eq=False)
class PlacedText:
    """A piece of text and its place.

    Attributes:
        text: the text.
        quad: float64 [4,2] corners in pixels; the text runs along the edge from the first to the second one.
        score: confidence, 0 to 1.
    """

    text: str
    quad: NDArray[np.float64]
    score: float

    @property
    def box(self) -> tuple[int, int, int, int]:
        """The rectangle around the quad: xmin, ymin, xmax, ymax, at least 0."""
        low, high = np.maximum(self.quad.min(axis=0), 0), np.maximum(self.quad.max(axis=0), 0)
        return round(low[0]), round(low[1]), round(high[0]), round(high[1])


@dataclass(frozen=True, eq=False)
class TextWord(PlacedText):
    """A word of a line: text between spaces, or one character of a script that has no spaces.

    Attributes:
        has_space_after: whether a space follows on the line.
        characters: the characters of the word; empty if the request did not ask for them.
    """

    has_space_after: bool = False
    characters: tuple[PlacedText, ...] = ()


@dataclass(frozen=True, eq=False)
class TextLine(PlacedText):
    """A line of a page.

    Attributes:
        words: the words of the line. Their places are estimated from the width of the characters if the
            request did not ask for words.
        source: "ocr", or "pdf" if the line is the file's own text.
    """

    words: tuple[TextWord, ...] = ()
    source: str = "ocr"

    @property
    def is_right_to_left(self) -> bool:
        """Whether the line reads from right to left."""
        return reads_right_to_left(self.text)

    @property
    def angle(self) -> float:
        """The direction of the text in degrees clockwise: 0 is to the right, 90 down; -180 to 180."""
        along = self.quad[1] - self.quad[0]
        return float(np.degrees(np.arctan2(along[1], along[0])))


@dataclass(frozen=True)
class PageBlock:
    """Rows of lines that belong together.

    Attributes:
        kind: "heading", "paragraph", "table", "header", "footer", "page_number" or "footnote".
        rows: rows of lines that stand side by side.
    """

    kind: str
    rows: tuple[tuple[TextLine, ...], ...]

    @property
    def lines(self) -> tuple[TextLine, ...]:
        """All lines in reading order."""
        return tuple(line for row in self.rows for line in row)


@dataclass(frozen=True)
class PageText:
    """The text of one page in reading order.

    Attributes:
        name: path, URL or name of the input.
        number: number of the page in its file, from 1.
        width: width of the page in pixels that coordinates refer to.
        height: height of the same page in pixels.
        blocks: the blocks of the page; empty if the page has no text or was not read.
        fields: the result under PaddleX's keys, in JSON's types.
    """

    name: str
    number: int
    width: int
    height: int
    blocks: tuple[PageBlock, ...]
    fields: Mapping[str, Any]

    @property
    def lines(self) -> tuple[TextLine, ...]:
        """All lines in reading order."""
        return tuple(line for block in self.blocks for line in block.lines)


class ResultOfPage(Protocol):
    """What the formats read of an `OCRResult`."""

    page: PageRecord
    file_stem: str

    @property
    def input_path(self) -> str | None: ...

    @property
    def is_in_input_coordinates(self) -> bool: ...

    @property
    def blocks(self) -> list[TextBlock]: ...

    @property
    def json(self) -> dict[str, Any]: ...

    def __getitem__(self, key: str, /) -> Any: ...

    def __contains__(self, key: object, /) -> bool: ...


def page_text(result: ResultOfPage) -> PageText:
    """Build the tree of a page from its result."""
    page = result.page
    sides = page.width, page.height
    width, height = sides[::-1] if page.angle in (90, 270) and not result.is_in_input_coordinates else sides
    lines = [_line(result, index) for index in range(len(result["rec_texts"]))]
    return PageText(
        name=result.input_path or result.file_stem,
        number=(result["page_index"] or 0) + 1,
        width=width,
        height=height,
        blocks=tuple(
            PageBlock(block.kind, tuple(tuple(lines[index] for index in row) for row in block.rows))
            for block in result.blocks
        ),
        fields=result.json["res"],
    )


def _line(result: ResultOfPage, index: int) -> TextLine:
    text, score = result["rec_texts"][index], float(result["rec_scores"][index])
    quad = reading_quad(result["rec_polys"][index])
    measured = _pieces(result, "text_word", index)
    if measured and _runs_backwards(quad, measured):
        quad = np.roll(quad, 2, axis=0)
    words = measured or _estimated_words(text, quad, score)
    spaced = tuple(_spaced_words(text, words, _pieces(result, "text_char", index)))
    source = result["rec_sources"][index] if "rec_sources" in result else "ocr"
    return TextLine(text, quad, score, spaced, source)


def _pieces(result: ResultOfPage, key: str, line: int) -> list[PlacedText]:
    """Return the words or the characters of a line as the server sent them, without spaces."""
    if key not in result:
        return []
    columns = result[key][line], result[f"{key}_polys"][line], result[f"{key}_scores"][line]
    return [
        PlacedText(text.strip(), np.asarray(poly, np.float64), float(score))
        for text, poly, score in zip(*columns, strict=True)
        if text.strip()
    ]


def _runs_backwards(quad: NDArray[np.float64], words: Sequence[PlacedText]) -> bool:
    """Return whether the words run against the line: the line is upside down on the page."""
    along = np.mean([word.quad[1] - word.quad[0] for word in words], axis=0)
    return float(along @ (quad[1] - quad[0])) < 0


def _estimated_words(text: str, quad: NDArray[np.float64], score: float) -> list[PlacedText]:
    """Split a line at its spaces and place the words by the width of their characters."""
    ends = [0, *accumulate(map(_width, text))]
    pieces, start = [], 0
    for word in text.split():
        start = text.index(word, start)
        span = ends[start] / ends[-1], ends[start + len(word)] / ends[-1]
        if reads_right_to_left(text):
            span = 1 - span[1], 1 - span[0]
        pieces.append(PlacedText(word, part_of(quad, *span), score))
        start += len(word)
    return pieces


def part_of(quad: NDArray[np.float64], start: float, end: float) -> NDArray[np.float64]:
    """Return the part of a quad between two fractions of its length."""
    upper, lower = quad[1] - quad[0], quad[2] - quad[3]
    return np.stack(
        [quad[0] + start * upper, quad[0] + end * upper, quad[3] + end * lower, quad[3] + start * lower]
    )


def _width(character: str) -> int:
    """Return the width of a character in half ems: 0 for marks, 2 for wide ones (UAX #11)."""
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _spaced_words(
    text: str, pieces: Sequence[PlacedText], characters: Sequence[PlacedText]
) -> Iterator[TextWord]:
    """Join the pieces of a line that no space separates, such as a word and its comma."""
    waiting = list(characters)
    for group, end in _groups(text, pieces):
        joined = "".join(piece.text for piece in group)
        quad = group[0].quad if len(group) == 1 else _around(group, reads_right_to_left(text))
        score = float(np.mean([piece.score for piece in group]))
        yield TextWord(joined, quad, score, text[end : end + 1].isspace(), _take(waiting, joined))


def _groups(text: str, pieces: Sequence[PlacedText]) -> Iterator[tuple[list[PlacedText], int]]:
    """Yield the pieces of each word, and the index in the text at which the word ends."""
    group: list[PlacedText] = []
    end = 0
    for piece in pieces:
        start = max(text.find(piece.text, end), end)
        if group and (start > end or _stands_alone(group[-1].text) or _stands_alone(piece.text)):
            yield group, end
            group = []
        group.append(piece)
        end = start + len(piece.text)
    if group:
        yield group, end


def _stands_alone(text: str) -> bool:
    """Return whether a piece is a character of a script without spaces; punctuation joins its neighbour."""
    return unicodedata.name(text[0], "").startswith(_SCRIPTS_WITHOUT_SPACES)


def _around(group: Sequence[PlacedText], is_right_to_left: bool) -> NDArray[np.float64]:
    first, last = (group[-1], group[0]) if is_right_to_left else (group[0], group[-1])
    return np.stack([first.quad[0], last.quad[1], last.quad[2], first.quad[3]])


def _take(characters: list[PlacedText], word: str) -> tuple[PlacedText, ...]:
    """Remove the characters of a word from the start of a list and return them; empty if they differ."""
    lengths = list(accumulate((len(piece.text) for piece in characters), initial=0))
    if len(word) not in lengths:
        return ()
    count = lengths.index(len(word))
    found = tuple(characters[:count])
    if "".join(piece.text for piece in found) != word:
        return ()
    del characters[:count]
    return found
