"""Quads: corner order, reading order, bounding boxes."""

import time

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from tritonocr_backend.core.geometry import bounding_boxes, min_area_quad, reading_order

COORDINATES = st.integers(-5, 300)
QUADS = hnp.arrays(np.int32, st.tuples(st.integers(0, 12), st.just(4), st.just(2)), elements=COORDINATES)


def at(*corners: tuple[int, int]) -> NDArray[np.int32]:
    """Quads of 20 x 8 px whose top left corners these are, as (x, y)."""
    box = np.array([[0, 0], [20, 0], [20, 8], [0, 8]], np.int32)
    return np.array([box + corner for corner in corners], np.int32).reshape(-1, 4, 2)


class TestMinAreaQuad:
    @pytest.mark.parametrize(
        ("points", "expected", "short_side"),
        [
            pytest.param(
                [[0, 0], [10, 0], [10, 4], [0, 4]], [[0, 0], [10, 0], [10, 4], [0, 4]], 4, id="upright"
            ),
            pytest.param(
                [[10, 4], [0, 0], [0, 4], [10, 0]],
                [[0, 0], [10, 0], [10, 4], [0, 4]],
                4,
                id="the order of the points does not matter",
            ),
            pytest.param(
                [[0, 0], [3, 0], [3, 40], [0, 40]],
                [[0, 0], [3, 0], [3, 40], [0, 40]],
                3,
                id="taller than wide",
            ),
            pytest.param(
                [[0, 10], [10, 0], [20, 10], [10, 20]],
                None,  # which of the two corners at x = 10 counts as left is OpenCV's rounding
                np.sqrt(200),
                id="standing on a corner",
            ),
            pytest.param([[5, 5]], [[5, 5]] * 4, 0, id="a single point has no side"),
            pytest.param(
                [[0, 0], [8, 0]], [[0, 0], [8, 0], [8, 0], [0, 0]], 0, id="a line has no short side"
            ),
        ],
    )
    def test_corners_and_short_side(
        self, points: list[list[int]], expected: list[list[int]] | None, short_side: float
    ) -> None:
        quad, side = min_area_quad(np.array(points, np.int32), exact=True)
        assert quad.dtype == np.float32
        assert side == pytest.approx(short_side, abs=1e-4)
        if expected is not None:
            assert np.abs(quad - expected).max() < 1e-4

    @given(
        centre=st.tuples(st.floats(0, 500), st.floats(0, 500)),
        size=st.tuples(st.floats(5, 300), st.floats(5, 300)),
        angle=st.floats(-90, 90),
    )
    def test_order_is_left_pair_before_right_pair_and_upper_before_lower(
        self, centre: tuple[float, float], size: tuple[float, float], angle: float
    ) -> None:
        corners = cv2.boxPoints((centre, size, angle))
        (top_left, top_right, bottom_right, bottom_left), _ = min_area_quad(corners, exact=True)
        assert max(top_left[0], bottom_left[0]) <= min(top_right[0], bottom_right[0])
        assert top_left[1] <= bottom_left[1]
        assert top_right[1] <= bottom_right[1]

    @given(hnp.arrays(np.int32, st.tuples(st.integers(1, 30), st.just(2)), elements=COORDINATES))
    def test_encloses_every_point(self, points: NDArray[np.int32]) -> None:
        quad, _ = min_area_quad(points, exact=False)
        hull = cv2.convexHull(quad)
        for point in points.tolist():
            assert cv2.pointPolygonTest(hull, point, measureDist=True) > -0.1


class TestReadingOrder:
    @pytest.mark.parametrize(
        ("corners", "expected"),
        [
            pytest.param([], [], id="nothing"),
            pytest.param([(5, 5)], [0], id="one"),
            pytest.param([(0, 100), (0, 0), (0, 50)], [1, 2, 0], id="rows from top to bottom"),
            pytest.param(
                [(90, 3), (50, 6), (10, 9)], [2, 1, 0], id="one row within 10 px, from left to right"
            ),
            pytest.param([(90, 0), (10, 10)], [0, 1], id="10 px apart are two rows"),
            pytest.param([(90, 0), (10, 9)], [1, 0], id="9 px apart are one"),
            pytest.param([(30, 0), (30, 5)], [0, 1], id="equal x keeps the upper first"),
            pytest.param(
                [(100, 0), (50, 6), (0, 12)], [1, 0, 2], id="neighbours are compared, not all of a chain"
            ),
        ],
    )
    def test_is_paddlex(self, corners: list[tuple[int, int]], expected: list[int]) -> None:
        assert reading_order(at(*corners)).tolist() == expected

    @given(QUADS)
    def test_is_a_permutation(self, quads: NDArray[np.int32]) -> None:
        assert sorted(reading_order(quads).tolist()) == list(range(len(quads)))

    @given(QUADS)
    def test_agrees_with_bubbling_whole_boxes(self, quads: NDArray[np.int32]) -> None:
        """PaddleX's own loop, on boxes instead of indices."""
        boxes = sorted((quad.tolist() for quad in quads), key=lambda quad: (quad[0][1], quad[0][0]))
        for i in range(len(boxes) - 1):
            for j in range(i, -1, -1):
                upper, lower = boxes[j], boxes[j + 1]
                if not (abs(lower[0][1] - upper[0][1]) < 10 and lower[0][0] < upper[0][0]):
                    break
                boxes[j], boxes[j + 1] = lower, upper
        assert quads[reading_order(quads)].tolist() == boxes


class TestBoundingBoxes:
    def test_are_x_min_y_min_x_max_y_max(self) -> None:
        quads = np.array([[[5, 1], [30, 4], [28, 12], [3, 9]]], np.int32)
        boxes = bounding_boxes(quads)
        assert boxes.dtype == np.int32
        assert boxes.tolist() == [[3, 1, 30, 12]]

    def test_of_nothing_are_no_rows(self) -> None:
        assert bounding_boxes(np.empty((0, 4, 2), np.int32)).shape == (0, 4)


def test_reading_order_takes_time_in_proportion_to_the_boxes() -> None:
    """One row of boxes from right to left: PaddleX's loop moves each box past all others."""

    def seconds(count: int) -> float:
        quads = at(*((10 * (count - i), 0) for i in range(count)))
        started = time.process_time()
        reading_order(quads)
        return time.process_time() - started

    few, many = (min(seconds(count) for _ in range(3)) for count in (4_000, 40_000))
    assert many < 40 * few, "100 times with a quadratic sort"
