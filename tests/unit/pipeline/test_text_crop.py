"""Cutting lines out of a page, and packing them so that equal widths lie side by side."""

from math import ceil

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tritonocr_backend.core.contracts import PADDING_BGR
from tritonocr_backend.pipeline.line_geometry import line_rectangle
from tritonocr_backend.pipeline.text_crop import (
    MAX_WARP_SIDE_PX,
    CutLine,
    crop_line,
    cut_line,
    cut_line_exactly,
    exact_line_width,
    line_width,
    pack_lines,
    split_lines,
    turn_upside_down,
)

RANDOM = np.random.default_rng(0)
PAGE = cv2.GaussianBlur(RANDOM.integers(0, 256, (120, 160, 3), dtype=np.uint8), (0, 0), 2)


def box(x: int, y: int, width: int, height: int) -> NDArray[np.int32]:
    return np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]], np.int32)


def crop_quad(page: NDArray[np.uint8], quad: NDArray[np.int32]) -> NDArray[np.uint8] | None:
    line = line_rectangle(quad, exact=True)
    return None if line is None else crop_line(page, line)


def cut_once(page: NDArray[np.uint8], quad: NDArray[np.int32], reduction: int = 1) -> CutLine:
    line = line_rectangle(quad, exact=False)
    assert line is not None
    (cut,) = cut_line(page, line, reduction, with_orientation_image=True)
    return cut


def cut_in_two_steps(page: NDArray[np.uint8], quad: NDArray[np.int32]) -> CutLine:
    line = line_rectangle(quad, exact=True)
    assert line is not None
    (cut,) = cut_line_exactly(page, quad, line, with_orientation_image=True)
    return cut


def crop(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


class TestCrop:
    def test_an_upright_box_is_cut_out_as_it_is(self) -> None:
        cut = crop_quad(PAGE, box(20, 30, 60, 20))
        assert cut is not None
        assert (cut == PAGE[30:50, 20:80]).all()

    @pytest.mark.parametrize(
        ("size", "shape"),
        [
            pytest.param((60, 20), (20, 60), id="wide stays"),
            pytest.param((20, 29), (29, 20), id="under one and a half times as high stays"),
            pytest.param((20, 30), (20, 30), id="from there on it is turned"),
            pytest.param((10, 60), (10, 60), id="high is turned"),
        ],
    )
    def test_high_boxes_are_turned_counter_clockwise(
        self, size: tuple[int, int], shape: tuple[int, int]
    ) -> None:
        cut = crop_quad(PAGE, box(20, 30, *size))
        assert cut is not None
        plain = PAGE[30 : 30 + size[1], 20 : 20 + size[0]]
        assert cut.shape[:2] == shape
        assert (cut == (np.rot90(plain) if shape != plain.shape[:2] else plain)).all()

    def test_a_slanted_box_comes_out_straight(self) -> None:
        page = np.full((200, 200, 3), 255, np.uint8)
        corners = cv2.boxPoints(((100, 100), (120, 30), 20))
        cv2.fillPoly(page, [np.round(corners).astype(np.int32)], (0, 0, 200))
        cut = crop_quad(page, np.round(corners).astype(np.int32))
        assert cut is not None
        assert abs(cut.shape[0] - 30) <= 1
        assert abs(cut.shape[1] - 120) <= 1
        assert np.abs(cut[4:-4, 4:-4].astype(int) - (0, 0, 200)).max() <= 10

    def test_a_box_over_the_edge_repeats_the_edge(self) -> None:
        cut = crop_quad(PAGE, box(140, 100, 40, 20))
        assert cut is not None
        assert (cut[:, 20:] == PAGE[100:120, 159:160]).all()

    @pytest.mark.parametrize(
        "quad",
        [
            pytest.param(box(20, 30, 0, 20), id="no width"),
            pytest.param(box(20, 30, 20, 0), id="no height"),
            pytest.param(box(20, 30, 0, 0), id="a point"),
            pytest.param(np.array([[0, 0], [30, 30], [30, 30], [0, 0]], np.int32), id="a slanted line"),
        ],
    )
    def test_a_box_without_an_area_gives_nothing(self, quad: NDArray[np.int32]) -> None:
        assert crop_quad(PAGE, quad) is None

    def test_beyond_opencvs_coordinates_a_line_reads_as_anywhere_else(self) -> None:
        x = MAX_WARP_SIDE_PX + 2000
        noise = crop(120, 160, seed=7)  # shows every pixel that goes missing
        page = np.zeros((120, x + 160, 3), np.uint8)
        page[:, x:] = noise
        slanted = np.array([[20, 30], [80, 40], [77, 59], [17, 49]], np.int32)
        for quad in (box(20, 30, 60, 20), slanted):
            here, there = crop_quad(noise, quad), crop_quad(page, quad + np.array([x, 0], np.int32))
            assert here is not None
            assert there is not None
            assert here.shape == there.shape
            # Warps place pixels to 1/32 px, and noise is steep.
            assert np.abs(here.astype(int) - there).max() <= 12

    def test_a_line_longer_than_opencvs_coordinates_is_cut_out_too(self) -> None:
        page = np.zeros((40, MAX_WARP_SIDE_PX + 5000, 3), np.uint8)
        page[:, : MAX_WARP_SIDE_PX // 2] = 255
        cut = crop_quad(page, box(0, 5, MAX_WARP_SIDE_PX + 4000, 30))
        assert cut is not None
        assert cut.shape[1] / cut.shape[0] == pytest.approx((MAX_WARP_SIDE_PX + 4000) / 30, rel=0.1)
        assert (cut > 127).all(axis=(0, 2)).mean() == pytest.approx(
            MAX_WARP_SIDE_PX / 2 / (MAX_WARP_SIDE_PX + 4000), rel=1e-2
        )

    def test_the_widest_page_that_opencv_does_not_take(self) -> None:
        page = np.zeros((60, 32767, 3), np.uint8)
        assert crop_quad(page, box(20, 30, 60, 20)) is not None


WIDTH_RULES = {"own": line_width, "exact": exact_line_width}


class TestLineWidth:
    @pytest.mark.parametrize(
        ("size", "rule", "expected"),
        [
            pytest.param((48, 200), "exact", (200, 320), id="PaddleX's least width"),
            pytest.param((48, 320), "exact", (320, 320), id="exactly that"),
            pytest.param((48, 321), "exact", (321, 321), id="beyond it its own"),
            pytest.param((32, 300), "exact", (450, 450), id="scaled to 48 px high"),
            pytest.param((31, 300), "exact", (464, 464), id="464.5: the width is cut, the content with it"),
            pytest.param((10, 1000), "exact", (3200, 3200), id="squeezed into 3200"),
            pytest.param((48, 200), "own", (200, 224), id="up to a multiple of 32"),
            pytest.param((48, 224), "own", (224, 224), id="one already"),
            pytest.param((48, 1), "own", (1, 32), id="at least one"),
            pytest.param((10, 1000), "own", (3200, 3200), id="squeezed into 3200 too"),
            pytest.param((1000, 1), "own", (1, 32), id="never without content"),
        ],
    )
    def test_content_and_padded_width(
        self, size: tuple[int, int], rule: str, expected: tuple[int, int]
    ) -> None:
        assert WIDTH_RULES[rule](*size) == expected

    @given(st.integers(1, 500), st.integers(1, 40_000), st.sampled_from(sorted(WIDTH_RULES)))
    def test_content_fits_and_keeps_the_aspect_ratio(self, height: int, width: int, rule: str) -> None:
        content, padded = WIDTH_RULES[rule](height, width)
        assert 1 <= content <= padded <= 3200
        assert content in (ceil(48 * width / height), padded)
        assert rule == "exact" or padded % 32 == 0


def difference(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Mean absolute difference in grey levels."""
    return float(np.abs(one.astype(int) - other).mean())


SLANTED = np.array([[30, 30], [110, 44], [106, 68], [26, 54]], np.int32)


class TestOneWarp:
    @pytest.mark.parametrize(
        "quad",
        [
            pytest.param(box(20, 30, 60, 20), id="upright"),
            pytest.param(box(20, 30, 20, 60), id="high, so turned"),
            pytest.param(SLANTED, id="slanted"),
            pytest.param(box(110, 80, 50, 40), id="at the page's edge"),
        ],
    )
    def test_shows_what_paddlexs_two_steps_show(self, quad: NDArray[np.int32]) -> None:
        once, twice = cut_once(PAGE, quad), cut_in_two_steps(PAGE, quad)
        assert once.content.shape == twice.content.shape
        assert difference(once.content, twice.content) < 4  # up to half a pixel apart
        assert difference(once.orientation_image, twice.orientation_image) < 4
        assert difference(once.content, once.content[::-1, ::-1]) > 8, "a turn would be seen"

    @pytest.mark.parametrize("reduction", [2, 4])
    def test_of_a_smaller_page_is_the_same_line(self, reduction: int) -> None:
        page = cv2.resize(PAGE, None, fx=reduction, fy=reduction, interpolation=cv2.INTER_CUBIC)
        from_all, from_fewer = (
            cut_once(page, SLANTED * reduction),
            cut_once(PAGE, SLANTED * reduction, reduction),
        )
        assert from_all.content.shape == from_fewer.content.shape
        assert difference(from_all.content, from_fewer.content) < 1

    def test_makes_no_orientation_image_unless_it_is_wanted(self) -> None:
        line = line_rectangle(SLANTED, exact=False)
        assert line is not None
        (cut,) = cut_line(PAGE, line, 1, with_orientation_image=False)
        assert cut.orientation_image is None

    def test_beyond_opencvs_coordinates_a_line_reads_as_anywhere_else(self) -> None:
        page = np.zeros((120, MAX_WARP_SIDE_PX + 2000 + 160, 3), np.uint8)
        page[:, -160:] = PAGE
        here = cut_once(PAGE, SLANTED)
        there = cut_once(page, SLANTED + np.array([page.shape[1] - 160, 0], np.int32))
        assert difference(here.content, there.content) < 1

    def test_exactly_resizes_the_crop_for_line_orientation_too(self) -> None:
        cut, plain = cut_in_two_steps(PAGE, SLANTED), crop_quad(PAGE, SLANTED)
        assert plain is not None
        assert cut.orientation_image is not None
        assert (cut.orientation_image == cv2.resize(plain, (160, 80))).all()


def cut_of(width: int, padded_width: int, seed: int = 0) -> CutLine:
    return CutLine(crop(48, width, seed), padded_width, np.zeros((4, 2), np.float32), None)


CONTENT_WIDTHS = st.lists(st.integers(1, 400), max_size=8)


class TestPacking:
    @given(CONTENT_WIDTHS)
    def test_each_line_is_there_once_padded_on_the_right(self, widths: list[int]) -> None:
        lines = [cut_of(width, line_width(48, width)[1], seed) for seed, width in enumerate(widths)]
        packed = pack_lines(lines)
        assert sorted(packed.order.tolist()) == list(range(len(lines)))
        assert packed.widths.tolist() == sorted(line.padded_width for line in lines)
        assert packed.pixels.shape == (int(packed.widths.sum()) * 48 * 3,)
        for image, number, content in zip(
            split_lines(packed.pixels, packed.widths), packed.order, packed.content_widths, strict=True
        ):
            assert (image[:, :content] == lines[number].content).all()
            assert (image[:, content:] == PADDING_BGR).all()

    def test_equal_widths_keep_their_order(self) -> None:
        packed = pack_lines([cut_of(200, 224), cut_of(20, 32)] * 30)
        assert packed.order.tolist() == [*range(1, 60, 2), *range(0, 60, 2)]

    def test_images_are_views_so_that_turning_one_turns_the_packed_line(self) -> None:
        packed = pack_lines([cut_of(40, 64)])
        split_lines(packed.pixels, packed.widths)[0][:] = 7
        assert (packed.pixels == 7).all()

    def test_no_lines(self) -> None:
        packed = pack_lines([])
        assert packed.pixels.shape == packed.widths.shape == packed.order.shape == (0,)
        assert split_lines(packed.pixels, packed.widths) == []


class TestTurning:
    @given(st.integers(1, 64))
    def test_turns_the_content_and_leaves_the_padding_on_the_right(self, content: int) -> None:
        line = crop(48, 64)
        line[:, content:] = PADDING_BGR
        before = line.copy()
        turn_upside_down(line, content)
        assert (line[:, :content] == np.rot90(before[:, :content], 2)).all()
        assert (line[:, content:] == before[:, content:]).all()

    def test_a_line_turned_is_the_turned_crop_packed(self) -> None:
        """Turning after resizing may stand in for turning before: bilinear resizing is symmetric."""
        width = line_width(31, 173)[0]
        one = crop(31, 173)
        line, turned = (cv2.resize(c, (width, 48)) for c in (one, np.rot90(one, 2)))
        turn_upside_down(line, width)
        assert np.abs(line.astype(int) - turned).max() <= 1
