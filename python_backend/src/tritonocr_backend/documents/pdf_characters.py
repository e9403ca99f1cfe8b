"""Read the characters of a PDF page into arrays. Runs in the PDF worker.

A page has thousands of characters, and each property of a character is a call of PDFium. `map` makes the
calls without a Python loop, and the prototypes below take plain integers instead of pointer objects.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pypdfium2 import raw

MAX_CHARACTERS = 200_000
PDFIUM_HYPHEN = 0x02  # PDFium's code of a hyphen at the end of a line, where it adds no line end
INVISIBLE_MODES = frozenset({raw.FPDF_TEXTRENDERMODE_INVISIBLE, raw.FPDF_TEXTRENDERMODE_CLIP})


@dataclass(frozen=True, eq=False)
class Characters:
    """The n characters of a page, in the order of PDFium's text page. PDFium adds blanks and line ends.

    Attributes:
        codes: int64 [n] Unicode values.
        is_line_end_hyphen: bool [n]: a hyphen that divides a word; the next character starts a line.
        boxes: float64 [n, 4] x_min, y_min, x_max, y_max in points of page space.
        is_hidden: bool [n]: drawn invisibly, as the text of an earlier OCR is.
        has_no_unicode: bool [n]: the font does not map the character to Unicode.
        are_complete: whether the page has no more characters.
    """

    codes: NDArray[np.int64]
    is_line_end_hyphen: NDArray[np.bool_]
    boxes: NDArray[np.float64]
    is_hidden: NDArray[np.bool_]
    has_no_unicode: NDArray[np.bool_]
    are_complete: bool


def read_characters(page: Any) -> Characters:
    """Return the characters of a page, at most `MAX_CHARACTERS`."""
    text_page = page.get_textpage()
    handle = ctypes.cast(text_page.raw, ctypes.c_void_p).value
    total = raw.FPDFText_CountChars(text_page)
    count = min(total, MAX_CHARACTERS)
    edges = np.zeros((count, 4), dtype=np.float32)  # FS_RECTF: left, top, right, bottom

    def of_each(function: Callable[..., int], *arguments: Any) -> NDArray[np.int64]:
        values = map(function, repeat(handle), range(count), *arguments)
        return np.fromiter(values, dtype=np.int64, count=count)

    start = edges.ctypes.data
    of_each(_loose_box, range(start, start + edges.nbytes, edges.itemsize * 4))
    codes = of_each(_unicode)
    is_hyphen = np.zeros(count, dtype=np.bool_)
    for index in np.flatnonzero(codes == PDFIUM_HYPHEN).tolist():
        is_hyphen[index] = raw.FPDFText_IsHyphen(text_page, index) == 1
    codes[is_hyphen] = ord("-")
    characters = Characters(
        codes,
        is_hyphen,
        edges[:, [0, 3, 2, 1]].astype(np.float64),
        _are_hidden(of_each(_text_object)),
        of_each(_unicode_map_error) == 1,
        count == total,
    )
    text_page.close()
    return characters


def _prototype(function: Any, result: Any, *arguments: Any) -> Callable[..., int]:
    """Return a function of PDFium that takes and returns addresses as integers."""
    address = ctypes.cast(function, ctypes.c_void_p).value
    assert address
    return ctypes.CFUNCTYPE(result, *arguments)(address)


_POINTER = ctypes.c_void_p
_unicode = _prototype(raw.FPDFText_GetUnicode, ctypes.c_uint, _POINTER, ctypes.c_int)
_unicode_map_error = _prototype(raw.FPDFText_HasUnicodeMapError, ctypes.c_int, _POINTER, ctypes.c_int)
_loose_box = _prototype(raw.FPDFText_GetLooseCharBox, ctypes.c_int, _POINTER, ctypes.c_int, _POINTER)
# 0 for the characters that PDFium adds:
_text_object = _prototype(raw.FPDFText_GetTextObject, ctypes.c_ssize_t, _POINTER, ctypes.c_int)
_render_mode = _prototype(raw.FPDFTextObj_GetTextRenderMode, ctypes.c_int, _POINTER)
_fill_colour = _prototype(raw.FPDFPageObj_GetFillColor, ctypes.c_int, *[_POINTER] * 5)


def _are_hidden(text_objects: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return for each character whether its text object is invisible; characters share text objects."""
    objects, indices = np.unique(text_objects, return_inverse=True)
    hidden = np.array([bool(item) and _is_hidden(item) for item in objects.tolist()], dtype=np.bool_)
    return np.asarray(hidden[indices.reshape(-1)])


def _is_hidden(text_object: int) -> bool:
    if _render_mode(text_object) in INVISIBLE_MODES:
        return True
    red, green, blue, alpha = (ctypes.c_uint() for _ in range(4))
    channels = [ctypes.addressof(channel) for channel in (red, green, blue, alpha)]
    return bool(_fill_colour(text_object, *channels)) and alpha.value == 0
