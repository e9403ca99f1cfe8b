"""Traits of texts: numbers and labels belong to tables, running text to columns."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_WORDS_OF_PROSE = 3
_IDEOGRAPHS_OF_PROSE = 6
_LENGTH_OF_PROSE = 6.0  # in heights, where there is no text
_LABEL_ENDS = (":", "\uff1a", "\u061b")
_PAGE_NUMBER = re.compile(
    r"\W*(?:(?:page|seite|p\.|pg\.?|página|стр\.?|صفحة|第)\s*)?"
    r"(?:\d{1,4}|[ivxlc]{1,7}|[一二三四五六七八九十百]{1,4})"
    r"(?:\s*(?:/|of|de|von|из|-)\s*\d{1,4})?\s*(?:页|頁|ページ)?\W*",
    re.IGNORECASE,
)
_FOOTNOTE = re.compile(r"\s*(?:[*†‡§¶※¹²³⁴⁵⁶⁷⁸⁹①-⑳]|[\[(]?\d{1,3}[\])]?[.:]?(?=\s|[^\W\d_]))")


@dataclass(frozen=True)
class TextTraits:
    """bool [n] for the lines of a page.

    Attributes:
        is_prose: long enough for a line of running text, and no number.
        is_number: mostly digits, such as a price.
        is_label: ends with a colon.
        has_case: contains a letter of a script with upper and lower case.
        starts_lower: the first letter is a lower-case letter.
    """

    is_prose: NDArray[np.bool_]
    is_number: NDArray[np.bool_]
    is_label: NDArray[np.bool_]
    has_case: NDArray[np.bool_]
    starts_lower: NDArray[np.bool_]


def text_traits(texts: Sequence[str] | None, boxes: NDArray[np.float64]) -> TextTraits:
    """Return the traits of texts; without texts, of the lengths of the lines.

    Args:
        texts: n texts in logical order.
        boxes: float64 [n, 4] in the reading frame.
    """
    if texts is None:
        no = np.zeros(len(boxes), dtype=bool)
        lengths = (boxes[:, 2] - boxes[:, 0]) / np.maximum(boxes[:, 3] - boxes[:, 1], 1e-9)
        return TextTraits(lengths >= _LENGTH_OF_PROSE, no, no, no, no)
    rows = np.array([_traits(text) for text in texts], dtype=bool).reshape(-1, 5)
    return TextTraits(*rows.T)


def _traits(text: str) -> tuple[bool, bool, bool, bool, bool]:
    letters = [character for character in text if character.isalpha()]
    digits = sum(character.isdigit() for character in text)
    ideographs = 0 if text.isascii() else sum(map(_is_wide, letters))
    is_number = digits > 0 and digits >= len(letters)
    is_prose = not is_number and (len(text.split()) >= _WORDS_OF_PROSE or ideographs >= _IDEOGRAPHS_OF_PROSE)
    cased = [letter for letter in letters if letter.lower() != letter.upper()]
    return (
        is_prose,
        is_number,
        text.rstrip().endswith(_LABEL_ENDS),
        bool(cased),
        bool(letters) and letters[0].islower(),
    )


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in "WF"


def is_page_number(text: str) -> bool:
    """Return whether a text is a page number, such as "7", "- 7 -", "Page 3 of 10" or "xii"."""
    return _PAGE_NUMBER.fullmatch(text.strip()) is not None


def starts_footnote(text: str) -> bool:
    """Return whether a text starts with a footnote's mark, such as "1 See", "* See" or "[2] See"."""
    return _FOOTNOTE.match(text) is not None


def text_length(text: str) -> int:
    """Return the length of a text in characters; Chinese, Japanese and Korean ones count twice."""
    return len(text) if text.isascii() else len(text) + sum(map(_is_wide, text))
