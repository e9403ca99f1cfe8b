"""Cut a decoded line into words and characters, each with its place on the line and its score.

Words end at Unicode's word boundaries (UAX #29): Han characters and hiragana stand alone, katakana stays
together. A character is what a reader takes for one (a grapheme cluster). `split_paddlex_words` cuts as
PaddleX does, for `exact`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate, groupby, pairwise

import numpy as np
import regex
from numpy.typing import NDArray

from tritonocr_backend.pipeline.text_recognition import DecodedLine

_WORD_BOUNDARY = regex.compile(r"\b", flags=regex.WORD | regex.VERSION1)
_GRAPHEME_CLUSTER = regex.compile(r"\X")
_HAN = regex.compile(r"[\u4e00-\u9fff]")
_ASCII_ALPHANUMERIC = regex.compile(r"[a-zA-Z0-9]")


@dataclass(frozen=True)
class TextSpan:
    """A word or a character of a line.

    Attributes:
        text: one or more characters.
        start: where it starts, as a fraction of the line's width.
        end: where it ends, likewise; at most 1.
        score: mean confidence of its characters.
    """

    text: str
    start: float
    end: float
    score: float


def split_words(line: DecodedLine, column_count: float) -> list[TextSpan]:
    """Cut a line at Unicode's word boundaries; spaces and punctuation between words are pieces too.

    Args:
        line: the decoded line.
        column_count: the number of network columns that the line's content spans.
    """
    return _spans(line, column_count, _WORD_BOUNDARY.split(line.text))


def split_characters(line: DecodedLine, column_count: float) -> list[TextSpan]:
    """Cut a line into grapheme clusters; see `split_words`."""
    return _spans(line, column_count, _GRAPHEME_CLUSTER.findall(line.text))


def _spans(line: DecodedLine, column_count: float, pieces: Iterable[str]) -> list[TextSpan]:
    texts = [piece for piece in pieces if piece]
    if not texts:
        return []
    extents = character_extents(line.columns, column_count) / column_count
    ends = list(accumulate(len(text) for text in texts))
    return [
        TextSpan(
            text,
            float(extents[start:end, 0].min()),
            float(extents[start:end, 1].max()),
            float(line.confidences[start:end].mean()),
        )
        for text, (start, end) in zip(texts, pairwise([0, *ends]), strict=True)
    ]


def character_extents(columns: NDArray[np.intp], column_count: float) -> NDArray[np.float64]:
    """Return where each character starts and ends, in network columns.

    A network marks a character near its middle. Neighbours meet halfway between their columns; no character
    reaches further from its column than the usual distance between columns.

    Args:
        columns: int [n], the column of each character, in any order. Characters of one column share
            an extent.
        column_count: the number of columns that the line's content spans.

    Returns:
        float64 [n, 2], within 0..column_count.
    """
    distinct, place = np.unique(columns, return_inverse=True)
    centres = distinct + 0.5
    steps = np.diff(centres)
    usual = float(np.median(steps)) if len(steps) else column_count
    middles = (centres[1:] + centres[:-1]) / 2
    starts = np.maximum(np.concatenate([[centres[0] - usual / 2], middles]), centres - usual)
    ends = np.minimum(np.concatenate([middles, [centres[-1] + usual / 2]]), centres + usual)
    extents: NDArray[np.float64] = np.clip(np.stack([starts, ends], axis=1), 0, column_count)
    return extents[place]


def split_paddlex_words(line: DecodedLine, column_count: float) -> list[TextSpan]:
    """Cut a line into words as PaddleX (>= 3.3) does: Han characters, runs of letters and digits, others.

    A full stop between digits and a hyphen after a letter or digit belong to the word. A Han character is as
    wide as the line's Han characters are on average; any other word spans its columns.

    Args:
        line: the decoded line.
        column_count: the number of network columns that the line's content spans.
    """
    kinds = _paddlex_kinds(line.text)
    runs = [[i for i, _ in run] for _, run in groupby(enumerate(kinds), key=lambda pair: pair[1])]
    han_runs = [run for run in runs if kinds[run[0]] == "han"]
    half_width = (_mean_han_width(line, han_runs) or column_count / max(len(line.text), 1)) / 2
    words: list[TextSpan] = []
    for run in runs:
        columns = line.columns[run]  # descending where the script runs from right to left
        if kinds[run[0]] == "han":
            extents = [(max(column + 0.5 - half_width, 0.0), column + 0.5 + half_width) for column in columns]
            pieces = [([i], *extent) for i, extent in zip(run, extents, strict=True)]
        else:
            pieces = [(run, float(columns.min()), float(columns.max() + 1))]
        words += [_paddlex_word(line, *piece, column_count) for piece in pieces]
    return words


def _paddlex_word(
    line: DecodedLine, run: list[int], start: float, end: float, column_count: float
) -> TextSpan:
    text = "".join(line.text[i] for i in run)
    score = float(line.confidences[run].mean())
    return TextSpan(text, start / column_count, min(end / column_count, 1.0), score)


def _paddlex_kinds(text: str) -> list[str]:
    kinds: list[str] = []
    for i, character in enumerate(text):
        follows_word = bool(kinds) and kinds[-1] == "word"
        before_digit = text[i + 1 : i + 2].isdigit()
        if _HAN.match(character):
            kinds.append("han")
        elif _ASCII_ALPHANUMERIC.match(character) or (
            follows_word and (character == "-" or (character == "." and before_digit))
        ):
            kinds.append("word")
        else:
            kinds.append("other")
    return kinds


def _mean_han_width(line: DecodedLine, runs: list[list[int]]) -> float | None:
    """Return the columns per Han character in runs of two or more; None where there is no such run."""
    widths = [
        (line.columns[run[-1]] - line.columns[run[0]] + 1) / (len(run) - 1) for run in runs if len(run) > 1
    ]
    return float(np.mean(widths)) if widths else None
