"""Read the text layer of a PDF page: lines, words and their places. Runs in the PDF worker."""

from __future__ import annotations

import ctypes
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pypdfium2 import raw

from tritonocr_backend.documents.pdf_content import read_content, text_regions

MAX_CHARACTERS = 200_000
GRID = 1_000_000  # device pixels per page side, by which page space is mapped to the displayed page
INVISIBLE_MODES = frozenset({raw.FPDF_TEXTRENDERMODE_INVISIBLE, raw.FPDF_TEXTRENDERMODE_CLIP})
COLUMN_GAP = 1.5  # in heights of a line: a wider gap separates two lines beside each other
BASELINE_SHIFT = 0.5  # in heights of a line
SYMBOL_FONT = range(0xF000, 0xF100)  # private use: bullets and ticks of symbol fonts
PRIVATE_USE = range(0xE000, 0xF900)
LIGATURES = range(0xFB00, 0xFB07)
REPLACEMENT = 0xFFFD
STRAIGHT = 0.02  # slope up to which a line counts as horizontal or vertical

Box = tuple[float, float, float, float]
_Affine = tuple[tuple[float, float], tuple[float, float], tuple[float, float]]


@dataclass
class _Word:
    text: str = ""
    boxes: list[Box] = field(default_factory=list)


@dataclass
class _Line:
    words: list[_Word] = field(default_factory=lambda: [_Word()])
    last: Box | None = None
    is_hidden: bool = False


@dataclass
class _Counts:
    visible: int = 0
    hidden: int = 0
    outside: int = 0
    unmapped: int = 0


def read_text(page: Any) -> dict[str, Any]:
    """Return the text layer of a page.

    Coordinates are points of the displayed page, from its top left corner.

    Returns:
        lines: each {"words": [[text, quad]], "quad", "hidden"}; a quad has 8 numbers, clockwise from the
            top left.
        visible, hidden, outside, unmapped: numbers of characters. Hidden ones are drawn invisibly, as the
            text of an earlier OCR is. Unmapped ones have no Unicode value.
        regions: boxes of pictures and of outlined characters, whose text is not in the text layer.
    """
    to_display = _to_display(page)
    counts = _Counts()
    lines = list(_lines(page, to_display, counts))
    regions = [
        _display_box(region, to_display) for region in text_regions(read_content(page), page.get_bbox())
    ]
    return {
        "lines": [_described(line) for line in lines],
        "regions": regions,
        **vars(counts),
    }


def _lines(page: Any, to_display: _Affine, counts: _Counts) -> Iterator[_Line]:
    width, height = page.get_size()
    text_page = page.get_textpage()
    hidden_objects: dict[int, bool] = {}
    line = _Line()
    for index in range(min(raw.FPDFText_CountChars(text_page), MAX_CHARACTERS)):
        code = raw.FPDFText_GetUnicode(text_page, index)
        if code in (0x0D, 0x0A):
            yield from _finished(line)
            line = _Line()
            continue
        if raw.FPDFText_IsGenerated(text_page, index) == 1 or code in (0x20, 0xA0, 0x09):
            line.words.append(_Word())
            continue
        box = _display_box(_character_box(text_page, index), to_display)
        if not (0 <= (box[0] + box[2]) / 2 <= width and 0 <= (box[1] + box[3]) / 2 <= height):
            counts.outside += 1
            continue
        is_hidden = _is_hidden(text_page, index, hidden_objects)
        text = _text_of(code, raw.FPDFText_HasUnicodeMapError(text_page, index) == 1)
        if text is None:
            counts.unmapped += not is_hidden
            continue
        counts.hidden += is_hidden
        counts.visible += not is_hidden
        if line.last is not None and (line.is_hidden != is_hidden or _is_apart(line.last, box)):
            yield from _finished(line)
            line = _Line()
        line.is_hidden, line.last = is_hidden, box
        line.words[-1].text += text
        line.words[-1].boxes.append(box)
    yield from _finished(line)
    text_page.close()


def _finished(line: _Line) -> Iterator[_Line]:
    line.words = [word for word in line.words if word.text]
    if line.words:
        yield line


def _text_of(code: int, is_unmapped: bool) -> str | None:
    """Return the text of a character: empty for a symbol without meaning, None if there is no Unicode."""
    if code in SYMBOL_FONT:
        return ""
    if is_unmapped or code == REPLACEMENT or code in PRIVATE_USE or code < 0x20 or 0xD800 <= code < 0xE000:
        return None
    character = chr(code) if code < 0x110000 else "\ufffd"
    return unicodedata.normalize("NFKC", character) if code in LIGATURES else character


def _is_hidden(text_page: Any, index: int, known: dict[int, bool]) -> bool:
    item = raw.FPDFText_GetTextObject(text_page, index)
    if not item:
        return False
    address = ctypes.addressof(item.contents)
    if address not in known:
        channels = [ctypes.c_uint() for _ in range(4)]
        has_colour = raw.FPDFPageObj_GetFillColor(item, *channels)
        is_transparent = bool(has_colour) and channels[3].value == 0
        known[address] = raw.FPDFTextObj_GetTextRenderMode(item) in INVISIBLE_MODES or is_transparent
    return known[address]


def _character_box(text_page: Any, index: int) -> Box:
    rect = raw.FS_RECTF()
    raw.FPDFText_GetLooseCharBox(text_page, index, rect)
    return rect.left, rect.bottom, rect.right, rect.top


def _is_apart(last: Box, box: Box) -> bool:
    """Return whether a character belongs to another line than the one before it."""
    height = max(min(last[3] - last[1], last[2] - last[0]), min(box[3] - box[1], box[2] - box[0]), 1e-3) * 1.5
    gap_x = max(box[0] - last[2], last[0] - box[2], 0)
    gap_y = max(box[1] - last[3], last[1] - box[3], 0)
    return max(gap_x, gap_y) > COLUMN_GAP * height


def _to_display(page: Any) -> _Affine:
    """Return the matrix [3, 2] from page space to points of the displayed page, from its top left corner."""
    corners = []
    left, bottom, right, top = page.get_bbox()
    for point in ((left, bottom), (right, bottom), (left, top)):
        x, y = ctypes.c_int(), ctypes.c_int()
        raw.FPDF_PageToDevice(page, 0, 0, GRID, GRID, 0, *point, x, y)
        corners.append((x.value, y.value))
    display = np.array(corners, dtype=np.float64) / GRID * np.array(page.get_size())
    source = np.array([[left, bottom, 1], [right, bottom, 1], [left, top, 1]], dtype=np.float64)
    (a, b), (c, d), (e, f) = np.linalg.solve(source, display).tolist()
    return (a, b), (c, d), (e, f)  # plain numbers: arrays would cost most of the time


def _display_box(box: Box, to_display: _Affine) -> Box:
    (a, b), (c, d), (e, f) = to_display
    x0, y0, x1, y1 = box
    xs = (x0 * a + y0 * c + e, x1 * a + y1 * c + e)
    ys = (x0 * b + y0 * d + f, x1 * b + y1 * d + f)
    return min(xs), min(ys), max(xs), max(ys)


def _described(line: _Line) -> dict[str, Any]:
    boxes = [box for word in line.words for box in word.boxes]
    angle = _angle(boxes)
    return {
        "words": [[word.text, _quad(word.boxes, angle)] for word in line.words],
        "quad": _quad(boxes, angle),
        "hidden": line.is_hidden,
    }


def _angle(boxes: list[Box]) -> float:
    """Return the direction of a line in radians, clockwise; 0 for horizontal and vertical lines."""
    first, last = boxes[0], boxes[-1]
    dx, dy = ((last[side] + last[side + 2] - first[side] - first[side + 2]) / 2 for side in (0, 1))
    if min(abs(dx), abs(dy)) <= STRAIGHT * max(abs(dx), abs(dy)):
        return 0.0
    return float(np.arctan2(dy, dx))


def _quad(boxes: list[Box], angle: float) -> list[float]:
    """Return the four corners of the smallest box of this direction around the boxes."""
    edges = np.array(boxes)
    if angle:
        return _tilted_quad(edges, angle)
    x0, y0 = (float(edge) for edge in edges[:, :2].min(axis=0))
    x1, y1 = (float(edge) for edge in edges[:, 2:].max(axis=0))
    return [x0, y0, x1, y0, x1, y1, x0, y1]


def _tilted_quad(edges: NDArray[np.float64], angle: float) -> list[float]:
    along = np.array([np.cos(angle), np.sin(angle)])
    across = np.array([-along[1], along[0]])
    centres = (edges[:, :2] + edges[:, 2:]) / 2
    # The upright box around a tilted character is larger than the character: take its shorter side.
    half = np.minimum(edges[:, 2] - edges[:, 0], edges[:, 3] - edges[:, 1]).max() / 2
    start, end = (centres @ along).min() - half, (centres @ along).max() + half
    low, high = (centres @ across).min() - half, (centres @ across).max() + half
    corners = ((start, low), (end, low), (end, high), (start, high))
    return [float(value) for s, t in corners for value in s * along + t * across]
