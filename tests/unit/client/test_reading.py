"""Reading order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tritonocr._results.reading_order import (
    joined,
    paragraphs,
    reading_quad,
    reading_rows,
    reads_right_to_left,
)


def boxes(*rows: tuple[int, int, int, int]) -> np.ndarray:
    return np.array(rows, np.int16).reshape(-1, 4)


SIDES = st.tuples(st.integers(0, 900), st.integers(0, 900), st.integers(0, 99), st.integers(0, 99))
PAGES = st.lists(
    SIDES.map(lambda side: (side[0], side[1], side[0] + side[2], side[1] + side[3])), max_size=30
)


@given(PAGES)
def test_every_line_is_read_exactly_once(page: list[tuple[int, int, int, int]]) -> None:
    rows = reading_rows(boxes(*page))
    assert sorted(line for row in rows for line in row) == list(range(len(page)))
    assert [row for paragraph in paragraphs(boxes(*page)) for row in paragraph] == rows


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        (boxes(), []),
        (boxes((50, 2, 90, 12), (0, 0, 40, 10)), [[1, 0]]),
        (boxes((0, 0, 40, 10), (0, 8, 40, 18)), [[0], [1]]),
        (boxes((0, 0, 40, 10), (30, 2, 90, 12)), [[0], [1]]),
        (boxes((0, 40, 40, 50), (80, 0, 90, 90)), [[0], [1]]),
        (boxes((0, 0, 40, 10), (36, 2, 90, 12)), [[0, 1]]),
        (boxes((0, 0, 9, 10), (20, 4, 29, 14), (40, 8, 49, 18)), [[0, 1, 2]]),
        (boxes((0, 0, 32767, 32767), (0, 32000, 10, 32767)), [[0], [1]]),
    ],
    ids=[
        "a page without text",
        "side by side, the left one first",
        "lines that touch stay lines",
        "lines that overlap sideways are not side by side",
        "a vertical line shares no row",
        "boxes that were grown into each other a little",
        "a row that slopes",
        "coordinates at the edge of int16",
    ],
)
def test_rows(page: np.ndarray, expected: list[list[int]]) -> None:
    assert reading_rows(page) == expected


@pytest.mark.parametrize(("slope_px", "bend_px"), [(0, 0), (40, 0), (0, 60), (-40, 60)])
def test_a_dense_page_that_is_askew_is_read_row_by_row(slope_px: int, bend_px: int) -> None:
    """Unwarping bent the rows of the corpus' page of 2500 boxes, so that 778 of them became one row."""
    row, column = np.divmod(np.arange(100 * 22), 22)
    across = column / 21
    ymin = 28 * row + slope_px * across + bend_px * np.sin(np.pi * across) + 100
    page = np.stack([110 * column, ymin, 110 * column + 50, ymin + 24], axis=1).astype(np.int16)
    assert reading_rows(page) == np.arange(100 * 22).reshape(100, 22).tolist()


def test_paragraphs_part_where_the_page_leaves_a_lines_height() -> None:
    page = boxes((0, 0, 40, 10), (0, 12, 40, 22), (0, 40, 40, 50))
    assert paragraphs(page) == [[[0], [1]], [[2]]]


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


@pytest.mark.parametrize(
    ("texts", "expected"),
    [(["a", "b"], "a b"), (["שלום", "אב"], "אב שלום"), (["12", "שלום", "אב"], "אב שלום 12"), ([], "")],
    ids=["from the left", "from the right", "a number among them", "nothing"],
)
def test_rows_are_read_from_the_side_of_their_script(texts: list[str], expected: str) -> None:
    assert joined(texts) == expected
