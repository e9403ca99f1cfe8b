"""CTC decoding: from the recognition network's best class per column to text, score and words.

CTC is "Connectionist Temporal Classification" (Graves et al., 2006), decoded greedily as PP-OCR does.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from tritonocr_backend.core.arrays import Floats, Ints
from tritonocr_backend.pipeline.reading_direction import logical_order

BLANK = 0


@dataclass(frozen=True)
class DecodedLine:
    """One line's text.

    Attributes:
        text: "" where every column is blank.
        score: mean confidence of the kept columns, 0.0 for an empty text.
        columns: int [len(text)], the network column of each character.
    """

    text: str
    score: float
    columns: NDArray[np.intp]


def in_logical_order(line: DecodedLine) -> DecodedLine:
    """A line of a network for a right-to-left script, its characters in logical order: as they are read."""
    characters = logical_order(line.text)
    columns = line.columns[[index for _, index in characters]] if characters else line.columns
    return DecodedLine("".join(character for character, _ in characters), line.score, columns)


def class_characters(dictionary: Sequence[str]) -> list[str]:
    """What each class of a recognition network stands for: blank, the dictionary's lines, space."""
    return ["", *dictionary, " "]


def ctc_decode(indices: Ints, confidences: Floats, characters: Sequence[str]) -> DecodedLine:
    """Drop repeated classes, then blanks; average the confidence of what is left.

    Args:
        indices: int32 [T], the best class of each column.
        confidences: float32 [T], its probability.
        characters: one string a class, blank first.
    """
    kept = indices != BLANK
    kept[1:] &= indices[1:] != indices[:-1]
    columns = np.flatnonzero(kept)
    entries = [characters[i] for i in indices[columns]]
    score = float(confidences[columns].mean()) if len(columns) else 0.0
    column_of_character = np.repeat(columns, [len(entry) for entry in entries])
    return DecodedLine("".join(entries), score, column_of_character)


@dataclass(frozen=True)
class Word:
    """A word of a line: its text, and where it starts and ends in network columns."""

    text: str
    start_column: float
    end_column: float


CJK = re.compile(r"[\u4e00-\u9fff]")
ALPHANUMERIC = re.compile(r"[a-zA-Z0-9]")


def split_words(line: DecodedLine, column_count: float) -> list[Word]:
    """Cut a line into words as PaddleX (>= 3.3) does: CJK characters, runs of letters and digits, the rest.

    A full stop between digits and a hyphen after a letter or digit belong to the word. A CJK character is as
    wide as the line's CJK characters are on average; any other word spans its columns.

    Args:
        line: the decoded line.
        column_count: how many network columns the line's content spans.
    """
    kinds = _character_kinds(line.text)
    runs = [[i for i, _ in run] for _, run in groupby(enumerate(kinds), key=lambda pair: pair[1])]
    cjk_runs = [run for run in runs if kinds[run[0]] == "cjk"]
    cjk_width = _mean_cjk_width(line, cjk_runs) or column_count / max(len(line.text), 1)
    words: list[Word] = []
    for run in runs:
        if kinds[run[0]] == "cjk":
            words += [_centred(line.text[i], line.columns[i] + 0.5, cjk_width) for i in run]
        else:
            text = "".join(line.text[i] for i in run)
            columns = line.columns[run]  # descending where the script runs from right to left
            words.append(Word(text, float(columns.min()), float(columns.max() + 1)))
    return words


def _character_kinds(text: str) -> list[str]:
    kinds: list[str] = []
    for i, character in enumerate(text):
        follows_word = bool(kinds) and kinds[-1] == "word"
        before_digit = text[i + 1 : i + 2].isdigit()
        if CJK.match(character):
            kinds.append("cjk")
        elif ALPHANUMERIC.match(character) or (
            follows_word and (character == "-" or (character == "." and before_digit))
        ):
            kinds.append("word")
        else:
            kinds.append("other")
    return kinds


def _mean_cjk_width(line: DecodedLine, runs: list[list[int]]) -> float | None:
    """Columns a CJK character takes, from the runs of two or more; None where there is no such run."""
    widths = [
        (line.columns[run[-1]] - line.columns[run[0]] + 1) / (len(run) - 1) for run in runs if len(run) > 1
    ]
    return float(np.mean(widths)) if widths else None


def _centred(text: str, centre: float, width: float) -> Word:
    return Word(text, max(centre - width / 2, 0.0), centre + width / 2)
