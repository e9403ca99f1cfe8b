"""Read the text layer of a PDF page: lines, words and their places. Runs in the PDF worker."""

from __future__ import annotations

import ctypes
import unicodedata
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pypdfium2 import raw

from tritonocr_backend.documents.pdf_characters import Characters, read_characters
from tritonocr_backend.documents.pdf_content import PageContent, text_regions

MAX_LINES = 10_000  # per page; the layout of so many takes a second
GRID = 1_000_000  # device pixels per page side, by which page space is mapped to the displayed page
COLUMN_GAP = 2.25  # in heights of a line: a wider gap separates two lines beside each other
SYMBOL_FONT = (0xF000, 0xF100)  # private use: bullets and ticks of symbol fonts
PRIVATE_USE = (0xE000, 0xF900)
SURROGATES = (0xD800, 0xE000)
LIGATURES = range(0xFB00, 0xFB07)
REPLACEMENT = 0xFFFD
LINE_ENDS = (0x0D, 0x0A)
BLANKS = (0x20, 0xA0, 0x09)
STRAIGHT = 0.02  # slope up to which a line counts as horizontal or vertical

_Points = NDArray[np.float64]
_Flags = NDArray[np.bool_]
_Indices = NDArray[np.int64]


def read_text(page: Any, content: PageContent) -> tuple[dict[str, Any], bytes]:
    """Return the text layer of a page.

    Coordinates are points of the displayed page, from its top left corner.

    Args:
        page: the page.
        content: its pictures and outlined characters.

    Returns:
        A dictionary and the bytes of quads. The keys of the dictionary are:
            lines: the words of each line.
            hidden: whether each line is hidden.
            is_complete: whether the page has no more lines and characters than the limits allow.
            visible, hidden_characters, outside, unmapped: numbers of characters. Hidden ones are drawn
                invisibly, as the text of an earlier OCR is. Unmapped ones have no Unicode value.
            regions: boxes of pictures and of outlined characters, whose text is not in the text layer.
        The quads are float64 [lines + words, 4, 2], those of the lines first, clockwise from the top left.
    """
    to_display = _to_display(page)
    characters = read_characters(page)
    boxes = _display_boxes(characters.boxes, to_display)
    kept, counts = _select(characters, boxes, page.get_size())
    lines, hidden, quads = _lines(characters, boxes, kept)
    regions = np.array(text_regions(content, page.get_bbox()), dtype=np.float64).reshape(-1, 4)
    answer = {
        "lines": lines,
        "hidden": hidden,
        "is_complete": characters.are_complete and len(lines) < MAX_LINES,
        "regions": _display_boxes(regions, to_display).tolist(),
        **counts,
    }
    return answer, quads.tobytes()


def _select(
    characters: Characters, boxes: _Points, size: tuple[float, float]
) -> tuple[_Indices, dict[str, int]]:
    """Return the indices of the characters that have a text and are on the page, and the counts."""
    codes, is_hidden = characters.codes, characters.is_hidden
    is_ink = ~np.isin(codes, LINE_ENDS + BLANKS)
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    is_on_page = ((centres >= 0) & (centres <= size)).all(axis=1)
    is_unmapped = _are_unmapped(characters)
    is_kept = is_ink & is_on_page & ~is_unmapped
    counts = {
        "visible": is_kept & ~is_hidden,
        "hidden_characters": is_kept & is_hidden,
        "outside": is_ink & ~is_on_page,
        "unmapped": is_ink & is_on_page & is_unmapped & ~is_hidden,
    }
    return np.flatnonzero(is_kept), {name: int(flags.sum()) for name, flags in counts.items()}


def _are_unmapped(characters: Characters) -> _Flags:
    codes = characters.codes
    is_no_text = characters.has_no_unicode | (codes == REPLACEMENT) | (codes < 0x20) | (codes >= 0x110000)
    is_no_text |= _are_within(codes, PRIVATE_USE) | _are_within(codes, SURROGATES)
    return np.asarray(is_no_text & ~_are_within(codes, SYMBOL_FONT))


def _are_within(codes: _Indices, block: tuple[int, int]) -> _Flags:
    return (codes >= block[0]) & (codes < block[1])


def _text_of(code: int) -> str:
    """Return the text of a character: empty for a symbol without meaning."""
    if SYMBOL_FONT[0] <= code < SYMBOL_FONT[1]:
        return ""
    return unicodedata.normalize("NFKC", chr(code)) if code in LIGATURES else chr(code)


@dataclass(frozen=True, eq=False)
class _Words:
    """Runs of characters.

    Attributes:
        texts: the texts.
        boxes: float64 [n, 4] x_min, y_min, x_max, y_max around their characters.
        starts: int64 [n] first characters; likewise `ends`, exclusive.
        lines: int64 [n] numbers of the lines that the words belong to, ascending.
    """

    texts: list[str]
    boxes: _Points
    starts: _Indices
    ends: _Indices
    lines: _Indices

    def up_to(self, count: int) -> _Words:
        """Return the first words."""
        return _Words(
            self.texts[:count], self.boxes[:count], self.starts[:count], self.ends[:count], self.lines[:count]
        )


def _lines(
    characters: Characters, boxes: _Points, kept: _Indices
) -> tuple[list[list[str]], list[bool], _Points]:
    """Return the words of each line, whether each line is hidden, and the quads of lines and words."""
    if not len(kept):
        return [], [], np.empty((0, 4, 2))
    boxes, is_hidden = boxes[kept], characters.is_hidden[kept]
    words = _words(characters, boxes, is_hidden, kept)
    if not words.texts:
        return [], [], np.empty((0, 4, 2))
    firsts = np.flatnonzero(np.diff(words.lines, prepend=-1))  # first word of each line
    if len(firsts) > MAX_LINES:
        words, firsts = words.up_to(int(firsts[MAX_LINES])), firsts[:MAX_LINES]
    bounds = [*firsts.tolist(), len(words.texts)]
    texts = [words.texts[first:end] for first, end in pairwise(bounds)]
    hidden = is_hidden[words.starts[firsts]].tolist()
    return texts, hidden, _quads(boxes, words, firsts)


def _words(characters: Characters, boxes: _Points, is_hidden: _Flags, kept: _Indices) -> _Words:
    """Part the kept characters into words; words without a text are left out."""
    codes, is_hyphen = characters.codes, characters.is_line_end_hyphen
    ends_before: _Indices = (np.cumsum(np.isin(codes, LINE_ENDS) | is_hyphen) - is_hyphen)[kept]
    blanks_before = np.cumsum(np.isin(codes, BLANKS))[kept]
    starts_line = np.ones(len(kept), dtype=np.bool_)
    starts_line[1:] = (np.diff(ends_before) > 0) | (is_hidden[1:] != is_hidden[:-1])
    starts_line[1:] |= _are_apart(boxes[:-1], boxes[1:])
    starts_word = starts_line | (np.diff(blanks_before, prepend=-1) > 0)
    starts = np.flatnonzero(starts_word)
    ends = np.append(starts[1:], len(kept))
    letters = [_text_of(code) for code in codes[kept].tolist()]
    texts = ["".join(letters[start:end]) for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
    has_text = np.array([bool(text) for text in texts])
    lows, highs = np.minimum.reduceat(boxes[:, :2], starts), np.maximum.reduceat(boxes[:, 2:], starts)
    return _Words(
        [text for text in texts if text],
        np.concatenate([lows, highs], axis=1)[has_text],
        starts[has_text],
        ends[has_text],
        np.cumsum(starts_line)[starts][has_text],
    )


def _are_apart(boxes: _Points, following: _Points) -> _Flags:
    """Return whether characters belong to other lines than the ones before them."""
    heights = [(group[:, 2:] - group[:, :2]).min(axis=1) for group in (boxes, following)]
    height = np.maximum(np.maximum(*heights), 1e-3)
    gaps = np.maximum(following[:, :2] - boxes[:, 2:], boxes[:, :2] - following[:, 2:])
    return np.asarray(gaps.max(axis=1) > COLUMN_GAP * height)


def _to_display(page: Any) -> _Points:
    """Return the matrix [3, 2] from page space to points of the displayed page, from its top left corner."""
    corners = []
    left, bottom, right, top = page.get_bbox()
    for point in ((left, bottom), (right, bottom), (left, top)):
        x, y = ctypes.c_int(), ctypes.c_int()
        raw.FPDF_PageToDevice(page, 0, 0, GRID, GRID, 0, *point, x, y)
        corners.append((x.value, y.value))
    display = np.array(corners, dtype=np.float64) / GRID * np.array(page.get_size())
    source = np.array([[left, bottom, 1], [right, bottom, 1], [left, top, 1]], dtype=np.float64)
    return np.asarray(np.linalg.solve(source, display))


def _display_boxes(boxes: _Points, to_display: _Points) -> _Points:
    """Map boxes [n, 4] to the displayed page."""
    first = boxes[:, :2] @ to_display[:2] + to_display[2]
    second = boxes[:, 2:] @ to_display[:2] + to_display[2]
    return np.concatenate([np.minimum(first, second), np.maximum(first, second)], axis=1)


def _quads(boxes: _Points, words: _Words, firsts: _Indices) -> _Points:
    """Return the quads of the lines and of the words, [lines + words, 4, 2].

    Args:
        boxes: boxes of the characters.
        words: the words.
        firsts: int64 [lines] first word of each line.
    """
    lows = np.minimum.reduceat(words.boxes[:, :2], firsts)
    highs = np.maximum.reduceat(words.boxes[:, 2:], firsts)
    upright = np.concatenate([np.concatenate([lows, highs], axis=1), words.boxes])
    quads: _Points = upright[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 4, 2)
    bounds = np.append(firsts, len(words.texts))
    angles = _angles(boxes[words.starts[firsts]], boxes[words.ends[bounds[1:] - 1] - 1])
    for line in np.flatnonzero(angles).tolist():
        of_line = range(bounds[line], bounds[line + 1])
        edges = [boxes[words.starts[word] : words.ends[word]] for word in of_line]
        quads[line] = _tilted_quad(np.concatenate(edges), angles[line])
        for word, its_edges in zip(of_line, edges, strict=True):
            quads[len(firsts) + word] = _tilted_quad(its_edges, angles[line])
    return quads


def _angles(first: _Points, last: _Points) -> _Points:
    """Return the directions of lines in radians, clockwise; 0 for horizontal and vertical lines.

    Args:
        first: [lines, 4] boxes of the first character of each line.
        last: [lines, 4] boxes of the last one.
    """
    dx, dy = ((last - first)[:, :2] + (last - first)[:, 2:]).T / 2
    is_straight = np.minimum(abs(dx), abs(dy)) <= STRAIGHT * np.maximum(abs(dx), abs(dy))
    return np.where(is_straight, 0.0, np.arctan2(dy, dx))


def _tilted_quad(edges: _Points, angle: float) -> _Points:
    """Return the four corners of the smallest box of this direction around the boxes of characters."""
    along = np.array([np.cos(angle), np.sin(angle)])
    across = np.array([-along[1], along[0]])
    centres = (edges[:, :2] + edges[:, 2:]) / 2
    # The upright box around a tilted character is larger than the character: take its shorter side.
    half = np.minimum(edges[:, 2] - edges[:, 0], edges[:, 3] - edges[:, 1]).max() / 2
    start, end = (centres @ along).min() - half, (centres @ along).max() + half
    low, high = (centres @ across).min() - half, (centres @ across).max() + half
    corners = ((start, low), (end, low), (end, high), (start, high))
    return np.array([s * along + t * across for s, t in corners])
