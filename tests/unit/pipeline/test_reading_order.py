"""The reading order of pages: drawn layouts, rules that hold for every page, and single rules."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from order_pages import LAYOUTS, DrawnPage, drawn_page, row_text, tilted
from order_scores import kendall_tau, text_score

from tritonocr_backend.pipeline.reading_order import BlockKind, PageLayout, page_layout

TILTS_DEGREES = (0.0, 1.0, 2.0, 3.0, 4.0, 5.0, -3.0)
SEEDS = range(7)
PAGE_SIZE = (1754, 1240)


def layout_of(page: DrawnPage) -> PageLayout:
    return page_layout(page.quads.round().astype(np.int32), page.size, page.texts)


def order_of(layout: PageLayout) -> list[int]:
    return np.argsort(layout.reading_order).tolist()


def text_of(page: DrawnPage, layout: PageLayout) -> str:
    order = order_of(layout)
    return row_text(page.texts, order, layout.row_index[order].tolist())


@pytest.mark.parametrize("layout", LAYOUTS)
def test_drawn_pages_are_read_in_order(layout: str) -> None:
    """29 layouts, 7 pages of each, tilted by -3 to 5 degrees: 203 pages."""
    pages = [drawn_page(layout, seed, TILTS_DEGREES[seed]) for seed in SEEDS]
    results = [layout_of(page) for page in pages]
    texts = [
        text_score(text_of(page, result), page.text) for page, result in zip(pages, results, strict=True)
    ]
    taus = [kendall_tau(order_of(result), page.order) for page, result in zip(pages, results, strict=True)]
    assert np.mean(texts) >= 0.98, texts
    assert np.mean(taus) >= 0.98, taus


def quads_of(*boxes: tuple[float, float, float, float]) -> np.ndarray:
    return np.array(boxes, np.float64).reshape(-1, 4)[:, [[0, 1], [2, 1], [2, 3], [0, 3]]]


SIDES = st.tuples(*(st.integers(0, 1000) for _ in range(2)), *(st.integers(1, 300) for _ in range(2)))
BOXES = st.lists(
    SIDES.map(lambda side: (side[0], side[1], side[0] + side[2], side[1] + side[3])), max_size=40
)
TEXTS = st.sampled_from(
    ["", "12.50", "Name:", "the river ran low that summer", "شارع السوق", "春风吹过山谷河水", "- 7 -"]
)


class TestEveryPage:
    @settings(max_examples=50)
    @given(BOXES, st.data())
    def test_each_line_is_read_once_and_blocks_and_rows_are_consecutive(self, boxes, data) -> None:
        texts = data.draw(st.none() | st.lists(TEXTS, min_size=len(boxes), max_size=len(boxes)))
        upside_down = np.array(
            data.draw(st.lists(st.booleans(), min_size=len(boxes), max_size=len(boxes))), bool
        )
        layout = page_layout(quads_of(*boxes), (1300, 1300), texts, upside_down)
        assert sorted(layout.reading_order.tolist()) == list(range(len(boxes)))
        order = order_of(layout)
        for index in (layout.row_index[order], layout.block_index[order]):
            assert set(np.diff(index).tolist()) <= {0, 1}
            assert not len(index) or index[0] == 0
        assert len(layout.block_kinds) == layout.block_index.max(initial=-1) + 1
        rows = dict(zip(layout.row_index.tolist(), layout.block_index.tolist(), strict=True))
        assert [rows[row] for row in layout.row_index.tolist()] == layout.block_index.tolist()

    @pytest.mark.parametrize("name", LAYOUTS)
    def test_scale_and_shift_change_nothing(self, name: str) -> None:
        page = drawn_page(name, 8, 0.0)
        height, width = page.size
        plain = page_layout(page.quads, page.size, page.texts)
        shifted = page_layout(page.quads + np.array([300, 0]), (height, width + 300), page.texts)
        assert order_of(shifted) == order_of(plain)
        for scale in (0.25, 4):
            scaled = page_layout(page.quads * scale, (int(height * scale), int(width * scale)), page.texts)
            assert order_of(scaled) == order_of(plain)
            assert scaled.block_index.tolist() == plain.block_index.tolist()

    @pytest.mark.parametrize("name", LAYOUTS)
    def test_a_tilt_of_the_whole_page_changes_nothing(self, name: str) -> None:
        page = drawn_page(name, 9, 0.0)
        plain = order_of(page_layout(page.quads, page.size, page.texts))
        for degrees in (-20, -4.5, 0.4, 2.3, 5, 20):
            turned = page_layout(tilted(page.quads, page.size, degrees), page.size, page.texts)
            assert kendall_tau(order_of(turned), plain) > 0.98

    @pytest.mark.parametrize("name", ["two_columns", "receipt", "vertical_chinese", "arabic_columns"])
    def test_the_order_of_the_lines_given_changes_nothing(self, name: str) -> None:
        page = drawn_page(name, 1, 2.0)
        shuffled = np.random.default_rng(0).permutation(len(page.texts))
        again = page_layout(page.quads[shuffled], page.size, [page.texts[index] for index in shuffled])
        assert (
            again.reading_order.tolist()
            == page_layout(page.quads, page.size, page.texts).reading_order[shuffled].tolist()
        )

    def test_no_lines_give_no_blocks(self) -> None:
        layout = page_layout(np.empty((0, 4, 2), np.int32), PAGE_SIZE, [])
        assert (layout.reading_order.shape, layout.block_index.shape, layout.block_kinds) == ((0,), (0,), ())


def test_the_number_below_vertical_text_is_a_page_number() -> None:
    page = drawn_page("vertical_with_number", 1, 2.0)
    layout = layout_of(page)
    (number,) = [index for index, text in enumerate(page.texts) if text.isdigit()]
    assert layout.block_kinds[layout.block_index[number]] is BlockKind.PAGE_NUMBER
    assert layout.reading_order[number] == len(page.texts) - 1


def large_page(columns: int, count: int = 10_000) -> np.ndarray:
    row, column = np.divmod(np.arange(count), columns)
    left, top = column * 1000.0, row * 30.0 + 11 * (column % 2)
    return quads_of(*np.stack([left, top, left + 900, top + 22], axis=1).tolist())


@pytest.mark.parametrize(
    "quads",
    [
        pytest.param(large_page(1), id="one column"),
        pytest.param(large_page(2), id="two columns off each other's base lines"),
        pytest.param(large_page(100), id="a grid"),
        pytest.param(np.repeat(quads_of((0, 0, 100, 20)), 10_000, axis=0), id="all boxes at one place"),
        pytest.param(
            quads_of(*((k, k, 50_000 - k, k + 2) for k in range(10_000))),
            id="boxes that overlap by one pixel",
        ),
    ],
)
def test_steps_grow_linearly(quads: np.ndarray) -> None:
    """Ten times the boxes take at most 30 times the time; a quadratic method takes 100 times as long."""

    def seconds(count: int) -> float:
        start = time.thread_time()  # other threads of the test run do not count
        page_layout(quads[:count], (600_100, 100_000))
        return time.thread_time() - start

    small, large = (min(seconds(count) for _ in range(3)) for count in (1_000, 10_000))
    assert large < 30 * small


class TestTextDirection:
    PAIR = quads_of((0, 0, 100, 20), (200, 0, 300, 20))

    @pytest.mark.parametrize(
        ("texts", "order"),
        [
            pytest.param(["a", "b"], [0, 1], id="Latin from the left"),
            pytest.param(["שלום", "אב"], [1, 0], id="Hebrew from the right"),
            pytest.param(
                ["12.00", "السعر"], [1, 0], id="a number belongs to the Arabic row that it stands in"
            ),
            pytest.param(["12", "34"], [0, 1], id="numbers alone from the left"),
            pytest.param(None, [0, 1], id="without texts from the left"),
        ],
    )
    def test_a_row_is_read_in_its_scripts_direction(self, texts: list[str] | None, order: list[int]) -> None:
        assert order_of(page_layout(self.PAIR, (100, 400), texts)) == order

    def test_a_latin_row_on_an_arabic_page_is_read_from_the_left(self) -> None:
        quads = quads_of(
            (0, 0, 100, 20), (200, 0, 300, 20), (0, 30, 300, 50), (0, 60, 300, 80), (0, 90, 300, 110)
        )
        texts = ["Hello", "world", "مرحبا بالعالم", "شارع السوق", "في الصباح"]
        assert order_of(page_layout(quads, (120, 400), texts)) == [0, 1, 2, 3, 4]

    @pytest.mark.parametrize(
        ("turned_by_180", "order"), [(False, [2, 1, 0]), (True, [0, 1, 2])], ids=["downward", "upward"]
    )
    def test_vertical_lines_follow_the_direction_of_their_text(
        self, turned_by_180: bool, order: list[int]
    ) -> None:
        quads = quads_of((0, 0, 20, 300), (50, 0, 70, 280), (100, 0, 120, 290))
        upside_down = np.full(3, turned_by_180)
        assert order_of(page_layout(quads, (320, 140), upside_down=upside_down)) == order

    def test_a_page_that_is_upside_down_is_read_from_its_own_top(self) -> None:
        quads = quads_of((0, 0, 300, 20), (0, 30, 290, 50), (0, 60, 280, 80))
        assert order_of(page_layout(quads, (100, 300), upside_down=np.ones(3, bool))) == [2, 1, 0]

    def test_vertical_lines_beside_horizontal_text_are_read_from_right_to_left(self) -> None:
        text = [(100, 40 * k, 900, 40 * k + 20) for k in range(8)]
        quads = quads_of((0, 0, 20, 300), (40, 0, 60, 300), *text)
        assert order_of(page_layout(quads, (320, 900))) == [1, 0, *range(2, 10)]


def kinds_of(page: DrawnPage) -> dict[str, BlockKind]:
    layout = layout_of(page)
    return {
        text: layout.block_kinds[block] for text, block in zip(page.texts, layout.block_index, strict=True)
    }


class TestKinds:
    def test_of_a_page_with_headings_footnotes_and_a_page_number(self) -> None:
        page = drawn_page("two_columns_with_footnotes", 0, 2.0)
        kinds = kinds_of(page)
        texts = [page.texts[index] for index in page.order]
        assert kinds[texts[0]] is BlockKind.HEADING
        assert [kinds[text] for text in texts[-4:]] == [*[BlockKind.FOOTNOTE] * 3, BlockKind.PAGE_NUMBER]
        assert {kinds[text] for text in texts[1:-4]} == {BlockKind.PARAGRAPH}

    def test_rows_of_cells_are_a_table(self) -> None:
        page = drawn_page("table_page", 1, 1.0)
        kinds = kinds_of(page)
        by_row: dict[int, list[str]] = {}
        for index, row in zip(page.order, page.rows, strict=True):
            by_row.setdefault(row, []).append(page.texts[index])
        cells = [text for texts in by_row.values() if len(texts) > 2 for text in texts]
        assert len(cells) > 10
        assert {kinds[text] for text in cells} == {BlockKind.TABLE}

    def test_a_running_header_is_read_first(self) -> None:
        lines = [(100, 40 * k, 900, 40 * k + 24) for k in range(3, 24)]
        layout = page_layout(
            quads_of((700, 20, 900, 40), *lines), (1000, 1000), ["Chapter 1", *["text"] * 21]
        )
        assert layout.block_kinds[0] is BlockKind.HEADER
        assert layout.reading_order[0] == 0

    def test_a_gap_and_an_indent_start_a_paragraph(self) -> None:
        tops = [0, 30, 60, 130, 160, 190, 220]
        lefts = [0, 0, 0, 0, 0, 40, 0]
        quads = quads_of(*((left, top, 700, top + 20) for left, top in zip(lefts, tops, strict=True)))
        assert page_layout(quads, (400, 700)).block_index.tolist() == [0, 0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize(
    ("boxes", "rows"),
    [
        ([(50, 2, 90, 12), (0, 0, 40, 10)], [0, 0]),
        ([(0, 0, 40, 10), (0, 8, 40, 18)], [0, 1]),
        ([(0, 0, 40, 10), (36, 2, 90, 12)], [0, 0]),
        ([(0, 0, 9, 10), (20, 4, 29, 14), (40, 8, 49, 18)], [0, 0, 0]),
    ],
    ids=[
        "side by side",
        "lines that touch stay lines",
        "grown boxes that overlap a little",
        "a row that slopes",
    ],
)
def test_rows(boxes: list[tuple[int, int, int, int]], rows: list[int]) -> None:
    assert page_layout(quads_of(*boxes), (100, 100)).row_index.tolist() == rows


@pytest.mark.parametrize(("slope_px", "bend_px"), [(0, 0), (40, 0), (0, 60), (-40, 60)])
def test_a_dense_page_that_is_bent_is_read_row_by_row(slope_px: int, bend_px: int) -> None:
    """A page of 2500 boxes from the corpus: unwarping bends its rows by several times their distance."""
    row, column = np.divmod(np.arange(100 * 22), 22)
    across = column / 21
    top = 28 * row + slope_px * across + bend_px * np.sin(np.pi * across) + 100
    boxes = np.stack([110 * column, top, 110 * column + 50, top + 24], axis=1)
    layout = page_layout(quads_of(*boxes.tolist()), (3100, 2500))
    assert layout.row_index.tolist() == row.tolist()
