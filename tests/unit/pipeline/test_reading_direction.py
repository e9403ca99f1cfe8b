"""Lines of right-to-left scripts: from the order on the page to the order in which they are read."""

import numpy as np
import pytest
from bidi.algorithm import get_display
from hypothesis import given
from hypothesis import strategies as st

from tritonocr_backend.pipeline.reading_direction import logical_order
from tritonocr_backend.pipeline.stages import text_recognition_decode
from tritonocr_backend.pipeline.text_recognition import DecodedLine, in_logical_order
from tritonocr_backend.pipeline.words import split_words

# What is read, and what stands on the page from left to right.
LINES = [
    pytest.param("مرحبا بالعالم", "ملاعلاب ابحرم", id="words"),
    pytest.param("رقم 123", "123 مقر", id="a number keeps its digits' order"),
    pytest.param("١٢٣ رقم", "مقر ١٢٣", id="Arabic-Indic digits, too"),
    pytest.param("السعر 45.50 ريال", "لاير 45.50 رعسلا", id="a decimal number"),
    pytest.param("نسخة PDF جديدة", "ةديدج PDF ةخسن", id="a Latin word in the middle"),
    pytest.param("ملف PDF", "PDF فلم", id="a Latin word at the end, where it stands first on the page"),
    pytest.param("PDF ملف", "فلم PDF", id="a Latin word at the start"),
    pytest.param("سعر (خصم)", "(مصخ) رعس", id="brackets are mirrored"),
    pytest.param("Hello, world (1).", "Hello, world (1).", id="no letter of such a script: as it stands"),
    pytest.param("12:30 - 14:00", "12:30 - 14:00", id="digits alone: as they stand"),
    pytest.param("", "", id="nothing"),
]


def text_of(visual: str) -> str:
    return "".join(character for character, _ in logical_order(visual))


@pytest.mark.parametrize(("logical", "visual"), LINES)
def test_the_order_of_the_page_becomes_the_order_of_reading(logical: str, visual: str) -> None:
    assert text_of(visual) == logical


@given(st.text("ابجدهوزحطי 0123456789.,:()ABCab-", max_size=30))
def test_agrees_with_the_library_on_lines_of_the_script(text: str) -> None:
    expected = get_display(text, base_dir="R") if any(letter in "ابجدهوزحطי" for letter in text) else text
    assert text_of(text) == expected


@given(st.text("ابج 012(AB", max_size=20))
def test_every_character_keeps_its_place_on_the_page(visual: str) -> None:
    order = logical_order(visual)
    assert sorted(index for _, index in order) == list(range(len(visual)))
    assert all(character == visual[index] or character in "()" for character, index in order)


def test_columns_and_words_follow_their_characters() -> None:
    visual = "PDF2 فلم"
    line = in_logical_order(DecodedLine(visual, 0.9, np.arange(8) * 10, np.arange(8, dtype=np.float32)))
    assert line.text == "ملف PDF2"
    assert line.columns.tolist() == [70, 60, 50, 40, 0, 10, 20, 30]
    assert line.confidences.tolist() == [7, 6, 5, 4, 0, 1, 2, 3]
    words = [(word.text, round(word.start * 80), round(word.end * 80)) for word in split_words(line, 80)]
    assert words == [("ملف", 46, 76), (" ", 36, 46), ("PDF2", 0, 36)]


@pytest.mark.parametrize(("right_to_left", "text"), [(True, "باب 12"), (False, "12 باب")])
def test_the_decoder_turns_lines_only_where_the_network_reads_such_a_script(
    right_to_left: bool, text: str
) -> None:
    characters = ["", "1", "2", "ب", "ا", " "]
    inputs = {
        "indices": np.array([[1, 2, 5, 3, 4, 3]], np.int32),
        "confidences": np.full((1, 6), 0.5, np.float32),
        "column_counts": np.array([6], np.float32),
        "return_words": np.array([True]),
        "return_characters": np.array([False]),
        "exact": np.array([False]),
    }
    decoded = text_recognition_decode(inputs, characters, right_to_left=right_to_left)
    assert decoded["texts"].tolist() == [text]
    assert "".join(decoded["word_texts"]) == text
    assert decoded["scores"] == pytest.approx(0.5)
