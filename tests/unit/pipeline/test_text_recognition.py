"""CTC decoding, and cutting a decoded line into words."""

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
    split_words,
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


def words_of(text: str, columns: list[int] | None = None, count: float = 100) -> list[str]:
    line = DecodedLine(text, 1.0, np.array(columns or range(len(text)), dtype=np.intp))
    return [word.text for word in split_words(line, count)]


class TestWords:
    @pytest.mark.parametrize(
        ("text", "words"),
        [
            pytest.param("", [], id="nothing"),
            pytest.param("Hello World", ["Hello", " ", "World"], id="letters, with what stands between"),
            pytest.param("中文字", ["中", "文", "字"], id="CJK by character"),
            pytest.param("价格12元", ["价", "格", "12", "元"], id="digits among CJK"),
            pytest.param("pi is 3.14", ["pi", " ", "is", " ", "3.14"], id="a point between digits"),
            pytest.param("end. Next", ["end", ". ", "Next"], id="a full stop is no part of a word"),
            pytest.param("e-mail", ["e-mail"], id="a hyphen after a letter"),
            pytest.param("-5", ["-", "5"], id="but not before one"),
            pytest.param("(a),", ["(", "a", "),"], id="symbols are grouped"),
            pytest.param("v1.", ["v1", "."], id="a point at the end"),
            pytest.param("naïve", ["na", "ï", "ve"], id="letters beyond ASCII stand apart, as in PaddleX"),
        ],
    )
    def test_are_cut_as_paddlex_does(self, text: str, words: list[str]) -> None:
        assert words_of(text) == words

    @given(st.text(alphabet="ab1.- 中文，é", max_size=30))
    def test_put_together_are_the_text(self, text: str) -> None:
        assert "".join(words_of(text)) == text

    def test_a_word_spans_its_columns(self) -> None:
        line = DecodedLine("ab c", 1.0, np.array([3, 5, 8, 9]))
        assert [(w.start_column, w.end_column) for w in split_words(line, 20)] == [(3, 6), (8, 9), (9, 10)]

    def test_a_cjk_character_is_centred_and_as_wide_as_those_beside_it(self) -> None:
        line = DecodedLine("中文", 1.0, np.array([4, 10]))
        # Two characters from column 4 to 10: 7 columns for one step.
        assert [(w.start_column, w.end_column) for w in split_words(line, 40)] == [(1, 8), (7, 14)]

    def test_a_lone_cjk_character_is_as_wide_as_the_lines_characters_are_on_average(self) -> None:
        line = DecodedLine("a中b", 1.0, np.array([2, 10, 20]))
        _, middle, _ = split_words(line, 30)
        assert (middle.start_column, middle.end_column) == (5.5, 15.5)

    def test_nothing_starts_before_the_line(self) -> None:
        line = DecodedLine("中文", 1.0, np.array([0, 8]))
        assert split_words(line, 20)[0].start_column == 0
