"""Words and characters of a decoded line: their texts, places and scores."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tritonocr_backend.pipeline.text_recognition import DecodedLine
from tritonocr_backend.pipeline.words import (
    TextSpan,
    character_extents,
    split_characters,
    split_paddlex_words,
    split_words,
)


def line_of(text: str, columns: list[int] | None = None) -> DecodedLine:
    places = np.array(list(range(len(text))) if columns is None else columns, dtype=np.intp)
    return DecodedLine(text, 1.0, places, np.linspace(0.5, 1, len(text), dtype=np.float32))


def texts(spans: list[TextSpan]) -> list[str]:
    return [span.text for span in spans]


def columns(spans: list[TextSpan], column_count: float) -> list[tuple[float, float]]:
    return [(round(span.start * column_count, 6), round(span.end * column_count, 6)) for span in spans]


class TestUnicodeWords:
    @pytest.mark.parametrize(
        ("text", "words"),
        [
            pytest.param("", [], id="nothing"),
            pytest.param("Hello World", ["Hello", " ", "World"], id="letters and the space between"),
            pytest.param("Jürgen été déjà", ["Jürgen", " ", "été", " ", "déjà"], id="accents"),
            pytest.param("spécifiée", ["spécifiée"], id="several accents"),
            pytest.param("cafe\u0301!", ["cafe\u0301", "!"], id="a combining accent"),
            pytest.param("Владимир Ильич", ["Владимир", " ", "Ильич"], id="Cyrillic"),
            pytest.param("can't l'été", ["can't", " ", "l'été"], id="an apostrophe inside a word"),
            pytest.param("中文字", ["中", "文", "字"], id="Han by character"),
            pytest.param("价格12元", ["价", "格", "12", "元"], id="digits among Han"),
            pytest.param("ありがとう", ["あ", "り", "が", "と", "う"], id="hiragana by character"),
            pytest.param("カタカナの例", ["カタカナ", "の", "例"], id="katakana stays together"),
            pytest.param("한국어 글", ["한국어", " ", "글"], id="Hangul between spaces"),
            pytest.param("हिन्दी में", ["हिन्दी", " ", "में"], id="Devanagari with its signs"),
            pytest.param("1,234.56 €", ["1,234.56", " ", "€"], id="a number keeps its separators"),
            pytest.param("v1.", ["v1", "."], id="a full stop at the end"),
            pytest.param("(a),", ["(", "a", ")", ","], id="punctuation by character"),
        ],
    )
    def test_end_at_unicodes_boundaries(self, text: str, words: list[str]) -> None:
        assert texts(split_words(line_of(text), 100)) == words

    @given(st.text(max_size=30))
    def test_joined_they_are_the_text(self, text: str) -> None:
        assert "".join(texts(split_words(line_of(text), 100))) == text
        assert "".join(texts(split_characters(line_of(text), 100))) == text

    def test_neighbours_meet_halfway_between_their_columns(self) -> None:
        words = split_words(line_of("ab c", [2, 5, 8, 11]), 16)
        assert columns(words, 16) == [(1, 7), (7, 10), (10, 13)]

    def test_a_word_has_the_mean_confidence_of_its_characters(self) -> None:
        line = DecodedLine("ab c", 1.0, np.arange(4), np.array([0.5, 1, 1, 0.25], np.float32))
        assert [word.score for word in split_words(line, 4)] == [0.75, 1, 0.25]

    def test_a_line_of_one_character_is_all_its_own(self) -> None:
        assert columns(split_words(line_of("I", [3]), 6), 6) == [(0.5, 6)]

    def test_a_line_from_right_to_left_keeps_each_word_at_its_place(self) -> None:
        first, _, last = split_words(line_of("אב ג", [9, 6, 4, 2]), 12)
        assert first.start > last.end


class TestCharacters:
    def test_are_what_a_reader_takes_for_one(self) -> None:
        assert texts(split_characters(line_of("ae\u0301नि"), 10)) == ["a", "e\u0301", "नि"]

    def test_cover_their_word(self) -> None:
        line = line_of("word", [1, 4, 6, 9])
        characters, (word,) = split_characters(line, 12), split_words(line, 12)
        assert (characters[0].start, characters[-1].end) == (word.start, word.end)
        assert all(a.end == b.start for a, b in pairwise(characters))

    @given(st.lists(st.integers(0, 60), min_size=1, max_size=30), st.floats(1, 70))
    def test_extents_are_on_the_line_and_in_the_order_of_their_columns(
        self, places: list[int], column_count: float
    ) -> None:
        extents = character_extents(np.array(places, np.intp), column_count)
        assert ((extents >= 0) & (extents <= column_count)).all()
        assert (extents[:, 0] <= extents[:, 1]).all()
        order = np.argsort(places, kind="stable")
        assert (np.diff(extents[order], axis=0) >= 0).all()


class TestPaddleXWords:
    @pytest.mark.parametrize(
        ("text", "words"),
        [
            pytest.param("", [], id="nothing"),
            pytest.param("Hello World", ["Hello", " ", "World"], id="letters, and what is between them"),
            pytest.param("中文字", ["中", "文", "字"], id="Han by character"),
            pytest.param("价格12元", ["价", "格", "12", "元"], id="digits among Han"),
            pytest.param("pi is 3.14", ["pi", " ", "is", " ", "3.14"], id="a point between digits"),
            pytest.param("end. Next", ["end", ". ", "Next"], id="a full stop is no part of a word"),
            pytest.param("e-mail", ["e-mail"], id="a hyphen after a letter"),
            pytest.param("-5", ["-", "5"], id="no hyphen before a digit"),
            pytest.param("(a),", ["(", "a", "),"], id="symbols are grouped"),
            pytest.param("v1.", ["v1", "."], id="a point at the end"),
            pytest.param("naïve", ["na", "ï", "ve"], id="letters beyond ASCII stand apart"),
        ],
    )
    def test_are_cut_as_paddlex_cuts_them(self, text: str, words: list[str]) -> None:
        assert texts(split_paddlex_words(line_of(text), 100)) == words

    @given(st.text(alphabet="ab1.- 中文，é", max_size=30))
    def test_joined_they_are_the_text(self, text: str) -> None:
        assert "".join(texts(split_paddlex_words(line_of(text), 100))) == text

    def test_a_word_spans_its_columns(self) -> None:
        words = split_paddlex_words(line_of("ab c", [3, 5, 8, 9]), 20)
        assert columns(words, 20) == [(3, 6), (8, 9), (9, 10)]

    def test_a_han_character_is_centred_and_as_wide_as_its_neighbours(self) -> None:
        # Two characters from column 4 to 10: 7 columns for one step.
        assert columns(split_paddlex_words(line_of("中文", [4, 10]), 40), 40) == [(1, 8), (7, 14)]

    def test_a_lone_han_character_is_as_wide_as_the_lines_average_character(self) -> None:
        _, middle, _ = columns(split_paddlex_words(line_of("a中b", [2, 10, 20]), 30), 30)
        assert middle == (5.5, 15.5)

    def test_nothing_starts_before_the_line(self) -> None:
        assert split_paddlex_words(line_of("中文", [0, 8]), 20)[0].start == 0
