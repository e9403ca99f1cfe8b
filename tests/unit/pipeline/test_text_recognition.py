"""CTC decoding of the network's columns."""

from itertools import groupby

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tritonocr_backend.pipeline.text_recognition import (
    BLANK,
    DecodedLine,
    class_characters,
    ctc_decode,
)

CHARACTERS = class_characters(["a", "b", "c"])  # blank a b c space

COLUMNS = st.lists(
    st.tuples(st.integers(0, len(CHARACTERS) - 1), st.floats(0, 1, width=32)), min_size=0, max_size=40
)


def decode(indices: list[int], confidences: list[float] | None = None) -> DecodedLine:
    values = confidences if confidences is not None else [0.5] * len(indices)
    return ctc_decode(np.array(indices, np.int32), np.array(values, np.float32), CHARACTERS)


class TestDecoding:
    @pytest.mark.parametrize(
        ("indices", "text"),
        [
            pytest.param([], "", id="no columns"),
            pytest.param([0, 0, 0], "", id="blanks alone"),
            pytest.param([1, 2, 3], "abc", id="plain"),
            pytest.param([1, 1, 2, 2, 2], "ab", id="repeats are one character"),
            pytest.param([1, 0, 1], "aa", id="a blank between makes two"),
            pytest.param([0, 1, 0, 0, 2, 0], "ab", id="blanks around"),
            pytest.param([1, 4, 2], "a b", id="the last class is a space"),
            pytest.param([4, 1, 4], " a ", id="spaces at the ends stay, as in PaddleX"),
        ],
    )
    def test_repeated_classes_and_blanks_are_dropped(self, indices: list[int], text: str) -> None:
        assert decode(indices).text == text

    @pytest.mark.parametrize(
        ("indices", "confidences", "score"),
        [
            pytest.param([1, 2], [0.5, 1.0], 0.75, id="the mean"),
            pytest.param([1, 1, 2], [0.5, 0.9, 1.0], 0.75, id="of a repeat its first column"),
            pytest.param([0, 1, 0], [0.1, 0.5, 0.1], 0.5, id="blanks do not count"),
            pytest.param([0, 0], [0.9, 0.9], 0.0, id="an empty text has score 0"),
            pytest.param([], [], 0.0, id="so has no column at all"),
        ],
    )
    def test_the_score_is_the_mean_of_what_is_kept(
        self, indices: list[int], confidences: list[float], score: float
    ) -> None:
        assert decode(indices, confidences).score == pytest.approx(score)

    @given(COLUMNS)
    def test_agrees_with_the_definition(self, columns: list[tuple[int, float]]) -> None:
        runs = [list(run) for _, run in groupby(enumerate(columns), key=lambda column: column[1][0])]
        kept = [run[0] for run in runs if run[0][1][0] != BLANK]
        line = decode([index for index, _ in columns], [confidence for _, confidence in columns])
        assert line.text == "".join(CHARACTERS[index] for _, (index, _) in kept)
        assert line.columns.tolist() == [column for column, _ in kept]
        expected = np.mean([c for _, (_, c) in kept], dtype=np.float64) if kept else 0
        assert line.score == pytest.approx(expected, abs=1e-6)

    @given(COLUMNS, st.integers(0, 20))
    def test_blanks_filled_in_behind_change_nothing(
        self, columns: list[tuple[int, float]], filling: int
    ) -> None:
        indices, confidences = [i for i, _ in columns], [c for _, c in columns]
        plain, filled = (
            decode(indices, confidences),
            decode(indices + [0] * filling, confidences + [0.0] * filling),
        )
        assert (plain.text, plain.score) == (filled.text, filled.score)

    def test_classes_are_blank_then_the_dictionary_then_space(self) -> None:
        assert class_characters(["x", "長"]) == ["", "x", "長", " "]

    def test_an_entry_of_several_characters_is_kept_whole(self) -> None:
        line = ctc_decode(np.array([1], np.int32), np.array([1], np.float32), class_characters(["ﬁx"]))
        assert line.text == "ﬁx"
