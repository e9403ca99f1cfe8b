"""CTC decoding: from the recognition network's best class per column to text and score.

CTC is "Connectionist Temporal Classification" (Graves et al., 2006), decoded greedily as PP-OCR does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tritonocr_backend.core.arrays import Floats, Ints
from tritonocr_backend.pipeline.reading_direction import logical_order

BLANK = 0


@dataclass(frozen=True)
class DecodedLine:
    """The text of one line.

    Attributes:
        text: "" where every column is blank.
        score: mean confidence of the kept columns, 0.0 for an empty text.
        columns: int [len(text)], the network column of each character.
        confidences: float32 [len(text)], the confidence of each character.
    """

    text: str
    score: float
    columns: NDArray[np.intp]
    confidences: Floats


def in_logical_order(line: DecodedLine) -> DecodedLine:
    """Return a line of a right-to-left script with its characters in the order in which they are read."""
    characters = logical_order(line.text)
    order = np.array([index for _, index in characters], dtype=np.intp)
    text = "".join(character for character, _ in characters)
    return DecodedLine(text, line.score, line.columns[order], line.confidences[order])


def class_characters(dictionary: Sequence[str]) -> list[str]:
    """Return the text of each class of a recognition network: blank, the dictionary's lines, space."""
    return ["", *dictionary, " "]


def ctc_score(indices: Ints, confidences: Floats) -> float:
    """Return the mean confidence of the columns that become characters; 0.0 if all are blank.

    Args:
        indices: int32 [T], the best class of each column.
        confidences: float32 [T], the probability of that class.
    """
    columns = kept_columns(indices)
    return float(confidences[columns].mean()) if len(columns) else 0.0


def kept_columns(indices: Ints) -> NDArray[np.intp]:
    """Return the columns that become characters: not blank, and not the class of the column before.

    Args:
        indices: int32 [T], the best class of each column.
    """
    kept = indices != BLANK
    kept[1:] &= indices[1:] != indices[:-1]
    return np.flatnonzero(kept)


def ctc_decode(indices: Ints, confidences: Floats, characters: Sequence[str]) -> DecodedLine:
    """Drop repeated classes, then blanks; average the confidence of the rest.

    Args:
        indices: int32 [T], the best class of each column.
        confidences: float32 [T], the probability of that class.
        characters: the text of each class, blank first.
    """
    columns = kept_columns(indices)
    entries = [characters[i] for i in indices[columns]]
    score = ctc_score(indices, confidences)
    column_of_character = np.repeat(columns, [len(entry) for entry in entries])
    return DecodedLine("".join(entries), score, column_of_character, confidences[column_of_character])
