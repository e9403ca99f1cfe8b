"""The blocks of a page, and the direction of each line."""

import numpy as np
import pytest

from tritonocr._results.reading_order import TextBlock, reading_quad, reads_right_to_left, text_blocks


def test_blocks_and_rows_follow_the_rank_of_their_lines() -> None:
    blocks = text_blocks([3, 0, 1, 2], [2, 0, 1, 1], [1, 0, 1, 1], ["table", "heading", "table", "table"])
    assert blocks == [TextBlock("heading", ((1,),)), TextBlock("table", ((2, 3), (0,)))]


def test_a_page_without_lines_has_no_blocks() -> None:
    assert text_blocks([], [], [], []) == []


@pytest.mark.parametrize(
    ("width", "height", "turned"), [(100, 20, False), (10, 25, False), (20, 39, False), (20, 41, True)]
)
def test_only_tall_boxes_are_read_downwards(width: int, height: int, turned: bool) -> None:
    poly = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.int16)
    first = reading_quad(poly)[0].tolist()
    assert first == ([width, 0] if turned else [0, 0])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("abc", False),
        ("مرحبا", True),
        ("123 שלום abc", True),
        ("(abc) שלום", False),
        ("123", False),
        ("", False),
    ],
)
def test_the_direction_is_the_first_strong_characters(text: str, expected: bool) -> None:
    assert reads_right_to_left(text) is expected
