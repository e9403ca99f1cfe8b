"""Detection without the network: the size of the page, and boxes from the probability map."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tritonocr_backend.pipeline.detection_tiles import page_reduction
from tritonocr_backend.pipeline.text_detection import (
    DetectedBoxes,
    LimitType,
    box_score,
    db_postprocess,
    resize_for_detection,
    unclip,
)


def blank(height: int, width: int) -> NDArray[np.uint8]:
    return np.full((height, width, 3), 200, np.uint8)


class TestResize:
    @pytest.mark.parametrize(
        ("size", "limit", "kind", "expected"),
        [
            pytest.param((960, 640), 960, "max", (960, 640), id="already fits"),
            pytest.param((1920, 1280), 960, "max", (960, 640), id="halved"),
            pytest.param((700, 500), 960, "max", (704, 512), id="max never enlarges"),
            pytest.param((400, 300), 736, "min", (992, 736), id="min enlarges the short side"),
            pytest.param((2000, 1500), 736, "min", (1984, 1504), id="min never shrinks"),
            # Python rounds half to even: 1.5 -> 2, 2.5 -> 2, 3.5 -> 4, 4.5 -> 4 times 32.
            pytest.param((48, 640), 960, "max", (64, 640), id="48 to 64"),
            pytest.param((80, 640), 960, "max", (64, 640), id="80 to 64"),
            pytest.param((112, 640), 960, "max", (128, 640), id="112 to 128"),
            pytest.param((144, 640), 960, "max", (128, 640), id="144 to 128"),
            pytest.param((1001, 1003), 960, "max", (960, 960), id="cut to whole pixels before it is rounded"),
            pytest.param((10, 2000), 960, "max", (32, 960), id="a side is never under 32"),
            pytest.param((1, 1), 960, "max", (32, 32), id="one pixel is padded"),
            pytest.param((31, 32), 960, "max", (32, 32), id="sides that add up to 63 are padded"),
            pytest.param((5, 58), 960, "max", (32, 64), id="only the side under 32 is padded"),
            pytest.param((10_000, 4000), 736, "min", (4000, 1600), id="no side over 4000"),
            pytest.param((100, 5000), 736, "min", (64, 4000), id="not even for the limit's sake"),
        ],
    )
    def test_sides_keep_to_the_limit_and_the_stride(
        self, size: tuple[int, int], limit: int, kind: LimitType, expected: tuple[int, int]
    ) -> None:
        resized = resize_for_detection(blank(*size), size, limit, kind)
        assert resized.shape == (*expected, 3)
        assert resized.dtype == np.uint8

    @pytest.mark.parametrize(
        ("size", "limit", "kind", "expected"),
        [
            pytest.param((7016, 4961), 960, "max", 2, id="A4 at 600 dpi: detection sees a seventh"),
            pytest.param((3508, 2480), 960, "max", 1, id="A4 at 300 dpi is not twice 3.5 times as fine"),
            pytest.param((6720, 1680), 960, "max", 2, id="exactly that"),
            pytest.param((6719, 1680), 960, "max", 1, id="just under"),
            pytest.param((20_000, 5000), 960, "max", 4, id="a quarter"),
            pytest.param((100_000, 25_000), 960, "max", 8, id="never under an eighth"),
            pytest.param((20_000, 2000), 960, "max", 1, id="a strip, of which detection sees a third"),
            pytest.param((7016, 4961), 736, "min", 1, id="detection sees 4000 px of it"),
            pytest.param((100, 100), 960, "max", 1, id="smaller than the limit"),
            pytest.param((100, 100), 960, "min", 1, id="enlarged for detection"),
        ],
    )
    def test_how_much_smaller_a_page_may_be_decoded(
        self, size: tuple[int, int], limit: int, kind: LimitType, expected: int
    ) -> None:
        assert page_reduction(size, limit, kind) == expected

    def test_a_page_decoded_smaller_is_seen_at_the_same_size(self) -> None:
        assert resize_for_detection(blank(501, 250), (2003, 1000), 960, "max").shape == (960, 480, 3)

    @given(
        height=st.integers(1, 1500),
        width=st.integers(1, 1500),
        limit=st.integers(1, 1200),
        kind=st.sampled_from(["max", "min"]),
    )
    def test_both_sides_are_multiples_of_32(
        self, height: int, width: int, limit: int, kind: LimitType
    ) -> None:
        resized = resize_for_detection(np.zeros((height, width, 3), np.uint8), (height, width), limit, kind)
        assert all(side >= 32 and side % 32 == 0 for side in resized.shape[:2])
        assert max(resized.shape) <= 4000

    def test_padding_is_black_and_lies_below_and_to_the_right(self) -> None:
        resized = resize_for_detection(blank(4, 6), (4, 6), 960, "max")
        assert (resized[:4, :6] == 200).all()
        assert not resized[4:].any()
        assert not resized[:, 6:].any()

    def test_a_page_with_one_short_side_is_stretched_and_not_padded(self) -> None:
        assert (resize_for_detection(blank(10, 100), (10, 100), 960, "max") == 200).all()

    def test_a_page_that_fits_is_not_touched(self) -> None:
        page = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
        assert (resize_for_detection(page, page.shape[:2], 960, "max") == page).all()


def probability_map(*boxes: tuple[int, int, int, int], value: float = 0.9) -> NDArray[np.float32]:
    """96 x 128, `value` inside boxes of (x, y, width, height), 0.05 elsewhere."""
    values = np.full((96, 128), 0.05, np.float32)
    for x, y, width, height in boxes:
        values[y : y + height, x : x + width] = value
    return values


def boxes_of(
    probability: NDArray[np.float32], size: tuple[int, int] = (96, 128), **options: float
) -> DetectedBoxes:
    settings = {"thresh": 0.3, "box_thresh": 0.6, "unclip_ratio": 2.0, "max_candidates": 100, **options}
    return db_postprocess(
        probability,
        size,
        thresh=settings["thresh"],
        box_thresh=settings["box_thresh"],
        unclip_ratio=settings["unclip_ratio"],
        max_candidates=int(settings["max_candidates"]),
        exact=False,
    )


class TestPostprocess:
    def test_a_box_grows_by_area_times_ratio_over_perimeter(self) -> None:
        found = boxes_of(probability_map((40, 40, 31, 11)))
        # 30 x 10 between pixel centres: 300 * 2 / 80 = 7.5 on each side; the rounded corners' ends are whole.
        assert np.abs(found.quads - [[[32, 32], [78, 32], [78, 58], [32, 58]]]).max() <= 1
        assert found.scores == pytest.approx([0.9])
        assert found.quads.dtype == np.int32
        assert found.scores.dtype == np.float32

    @pytest.mark.parametrize(
        ("probability", "options", "count"),
        [
            pytest.param(probability_map(), {}, 0, id="no text"),
            pytest.param(
                probability_map((40, 40, 31, 11), value=0.3), {"box_thresh": 0.1}, 0, id="not above thresh"
            ),
            pytest.param(
                probability_map((40, 40, 31, 11), value=0.31), {"box_thresh": 0.1}, 1, id="above thresh"
            ),
            pytest.param(probability_map((40, 40, 31, 11), value=0.59), {}, 0, id="under box_thresh"),
            pytest.param(
                probability_map((40, 40, 31, 11), value=0.5),
                {"box_thresh": 0.5},
                1,
                id="at box_thresh is kept",
            ),
            pytest.param(probability_map((40, 40, 31, 3)), {}, 0, id="under 3 px high (2 between centres)"),
            pytest.param(probability_map((40, 40, 31, 4)), {}, 1, id="3 px high"),
            pytest.param(
                probability_map((40, 40, 31, 4)), {"unclip_ratio": 0}, 0, id="under 5 px after growing by 0"
            ),
            pytest.param(
                probability_map((40, 40, 31, 11)),
                {"thresh": 0, "box_thresh": 0},
                1,
                id="0 takes the whole map",
            ),
            pytest.param(probability_map((40, 40, 31, 11)), {"thresh": 1}, 0, id="thresh 1 takes nothing"),
            pytest.param(probability_map((10, 10, 20, 8), (60, 10, 20, 8)), {}, 2, id="two lines"),
            pytest.param(
                probability_map((10, 10, 60, 30)) - probability_map((20, 20, 40, 10)) + 0.05,
                {},
                1,
                id="a hole in a box has a contour, and too low a score",
            ),
        ],
    )
    def test_what_is_kept(
        self, probability: NDArray[np.float32], options: dict[str, float], count: int
    ) -> None:
        assert len(boxes_of(probability, **options).quads) == count

    def test_boxes_lie_on_the_page_edges_included(self) -> None:
        found = boxes_of(probability_map((0, 0, 40, 12), (88, 84, 40, 12)))
        assert found.quads.reshape(-1, 2).min(axis=0).tolist() == [0, 0]
        assert found.quads.reshape(-1, 2).max(axis=0).tolist() == [128, 96]

    def test_boxes_are_scaled_to_the_page(self) -> None:
        small = boxes_of(probability_map((40, 40, 31, 11)))
        large = boxes_of(probability_map((40, 40, 31, 11)), size=(960, 1280))
        assert np.abs(large.quads - 10 * small.quads).max() <= 5, "rounded once, on the page"

    @pytest.mark.parametrize("size", [(75, 100), (61, 150), (200, 99)])
    def test_scaled_coordinates_are_rounded(self, size: tuple[int, int]) -> None:
        probability = probability_map((10, 10, 20, 9), (50, 30, 41, 13), (11, 70, 60, 11))
        on_map, on_page = boxes_of(probability), boxes_of(probability, size=size)
        expected = np.round(on_map.quads / (128, 96) * size[::-1])
        assert (on_page.quads == expected).all()

    def test_each_axis_has_its_own_scale(self) -> None:
        small = boxes_of(probability_map((40, 40, 31, 11)))
        wide = boxes_of(probability_map((40, 40, 31, 11)), size=(96, 256))
        assert (wide.quads[..., 1] == small.quads[..., 1]).all()
        assert np.abs(wide.quads[..., 0] - 2 * small.quads[..., 0]).max() <= 1

    def test_boxes_come_in_reading_order_with_their_scores(self) -> None:
        probability = probability_map((10, 60, 30, 10), value=0.7)
        probability[14:24, 80:110], probability[10:20, 10:40] = 0.8, 0.9
        assert boxes_of(probability).scores == pytest.approx([0.9, 0.8, 0.7])

    @pytest.mark.parametrize(
        ("limit", "kept", "reached"),
        [
            pytest.param(4, 4, False, id="as many as there are"),
            pytest.param(3, 3, True, id="one too many is said"),
            pytest.param(1, 1, True, id="most left out"),
        ],
    )
    def test_reaching_max_candidates_is_said(self, limit: int, kept: int, reached: bool) -> None:
        probability = probability_map(*((x, 40, 12, 8) for x in (5, 35, 65, 95)))
        found = boxes_of(probability, max_candidates=limit)
        assert len(found.quads) == kept
        assert found.max_candidates_reached is reached

    def test_a_box_without_a_whole_pixel_on_the_page_is_dropped_with_its_score(self) -> None:
        probability = probability_map((10, 10, 60, 12), (10, 60, 60, 12), value=0.8)
        probability[60:72, 10:70] = 0.9
        assert len(boxes_of(probability).quads) == 2
        assert boxes_of(probability, size=(3, 128)).scores == pytest.approx([0.8]), "the other is 0 px high"

    def test_nothing_found_is_empty_and_shaped(self) -> None:
        found = boxes_of(probability_map())
        assert found.quads.shape == (0, 4, 2)
        assert found.scores.shape == (0,)

    @given(st.data())
    def test_every_box_is_on_the_page_and_scored_above_the_threshold(self, data: st.DataObject) -> None:
        seed = data.draw(st.integers(0, 10_000))
        noise = np.random.default_rng(seed).random((12, 16), dtype=np.float32)
        probability = cv2.resize(noise, (128, 96), interpolation=cv2.INTER_CUBIC)
        size = data.draw(st.tuples(st.integers(1, 400), st.integers(1, 400)))
        found = boxes_of(np.clip(probability, 0, 1), size, box_thresh=0.5)
        assert (found.quads >= 0).all()
        assert (found.quads <= (size[1], size[0])).all()
        assert (found.scores >= 0.5).all()


class TestScore:
    def test_is_the_mean_inside_the_quad(self) -> None:
        values = np.arange(100, dtype=np.float32).reshape(10, 10)
        quad = np.array([[2, 3], [5, 3], [5, 6], [2, 6]], np.float32)
        assert box_score(values, quad) == pytest.approx(values[3:7, 2:6].mean())

    def test_pixels_outside_a_slanted_quad_do_not_count(self) -> None:
        values = np.zeros((21, 21), np.float32)
        diamond = np.array([[0, 10], [10, 0], [20, 10], [10, 20]], np.float32)
        cv2.fillPoly(values, [diamond.astype(np.int32)], 1)
        assert box_score(values, diamond) == pytest.approx(1)

    def test_a_quad_over_the_edge_is_scored_by_what_is_on_the_map(self) -> None:
        values = np.full((10, 10), 0.5, np.float32)
        quad = np.array([[-4, -4], [30, -4], [30, 30], [-4, 30]], np.float32)
        assert box_score(values, quad) == pytest.approx(0.5)

    def test_corners_are_cut_to_whole_pixels(self) -> None:
        values = np.zeros((8, 8), np.float32)
        values[:, :3] = 1
        quad = np.array([[0, 0], [2.9, 0], [2.9, 5], [0, 5]], np.float32)
        assert box_score(values, quad) == pytest.approx(1), "2.9 counts as column 2"


class TestUnclip:
    @pytest.mark.parametrize("ratio", [0.5, 1.5, 2.0, 3.0])
    def test_distance_is_area_times_ratio_over_perimeter(self, ratio: float) -> None:
        quad = np.array([[100, 100], [300, 100], [300, 140], [100, 140]], np.float32)
        expanded, short_side = unclip(quad, ratio, exact=True)
        distance = 200 * 40 * ratio / 480
        assert short_side == pytest.approx(40 + 2 * distance, abs=1.5)
        assert np.abs(expanded.min(axis=0) - (100 - distance)).max() <= 1.5

    def test_vertices_are_cut_to_integers_before_they_grow(self) -> None:
        """A quirk of pyclipper that PaddleX's boxes contain."""
        whole = np.array([[10, 10], [60, 10], [60, 30], [10, 30]], np.float32)
        distance_alike = whole + np.array([0.9, 0.9], np.float32)
        assert (unclip(whole, 1.5, exact=True)[0] == unclip(distance_alike, 1.5, exact=True)[0]).all()

    def test_a_ratio_of_0_leaves_the_box_as_it_is(self) -> None:
        quad = np.array([[10, 10], [60, 10], [60, 30], [10, 30]], np.float32)
        expanded, short_side = unclip(quad, 0, exact=True)
        assert np.abs(expanded - quad).max() < 1e-4
        assert short_side == 20
