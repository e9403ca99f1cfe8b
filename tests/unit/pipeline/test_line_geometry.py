"""The direction in which a line is read, and the places of its words."""

from math import cos, radians, sin

import cv2
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tritonocr_backend.core.geometry import min_area_quad
from tritonocr_backend.pipeline.line_geometry import line_rectangle, paddlex_word_frame, parts_of_line

ANGLES = st.floats(-89, 89)


def slanted(width: float, height: float, angle: float) -> np.ndarray:
    """A box of that size in px around (500, 500), turned clockwise by degrees."""
    return np.round(cv2.boxPoints(((500, 500), (width, height), angle))).astype(np.int32)


def direction(quad: np.ndarray) -> tuple[float, float]:
    line = line_rectangle(quad, exact=False)
    assert line is not None
    x, y = (line.corners[1] - line.corners[0]) / np.linalg.norm(line.corners[1] - line.corners[0])
    return float(x), float(y)


class TestReadingDirection:
    @pytest.mark.parametrize("angle", [-44, -20, -3, 0, 3, 20, 44, 60, -60])
    def test_a_line_is_read_rightwards(self, angle: float) -> None:
        x, y = direction(slanted(300, 20, angle))
        assert (x, y) == pytest.approx((cos(radians(angle)), sin(radians(angle))), abs=0.02)

    @pytest.mark.parametrize("lean", [-15, -10, -4, -1, 0, 1, 4, 10, 15])
    def test_a_column_is_read_downwards_whichever_way_it_leans(self, lean: float) -> None:
        x, y = direction(slanted(20, 400, lean))
        assert y > 0.9
        assert x == pytest.approx(-sin(radians(lean)), abs=0.02)

    def test_paddlex_reads_a_column_upwards_that_leans_to_the_bottom_left(self) -> None:
        quad = slanted(20, 400, 10)
        line = line_rectangle(quad, exact=True)
        assert line is not None
        assert line.corners[1, 1] < line.corners[0, 1]

    @given(st.floats(8, 300), st.floats(8, 300), ANGLES)
    def test_corners_are_clockwise_and_the_sizes_are_the_boxs(
        self, width: float, height: float, angle: float
    ) -> None:
        quad = slanted(width, height, angle)
        line = line_rectangle(quad, exact=False)
        assert line is not None
        assert cv2.contourArea(line.corners, oriented=True) > 0
        assert sorted((line.width, line.height)) == pytest.approx(sorted((width, height)), abs=3)
        assert set(map(tuple, line.corners)) == set(map(tuple, min_area_quad(quad, exact=True)[0]))

    @given(st.floats(40, 300), st.floats(8, 300), st.floats(-40, 40))
    def test_is_paddlexs_unless_the_line_leans_further_than_its_width(
        self, width: float, height: float, angle: float
    ) -> None:
        assume(abs(sin(radians(angle)) / cos(radians(angle))) < 0.9 * width / height)
        quad = slanted(width, height, angle)
        assert (min_area_quad(quad, exact=True)[0] == min_area_quad(quad, exact=False)[0]).all()

    def test_a_box_without_an_area_is_none(self) -> None:
        assert line_rectangle(np.array([[0, 0], [30, 30], [30, 30], [0, 0]], np.int32), exact=False) is None


class TestParts:
    @given(ANGLES, st.lists(st.floats(0, 1), min_size=2, max_size=8))
    def test_lie_along_the_line_one_after_the_other(self, angle: float, places: list[float]) -> None:
        line = line_rectangle(slanted(300, 20, angle), exact=False)
        assert line is not None
        edges = np.array(sorted(places))
        parts = parts_of_line(line.corners, np.stack([edges[:-1], edges[1:]], axis=1))
        assert parts[:-1, 1] == pytest.approx(parts[1:, 0]), "neighbours share their edge"
        along = (line.corners[1] - line.corners[0]) / 300
        heights = np.linalg.norm(parts[:, 3] - parts[:, 0], axis=1)
        assert heights == pytest.approx(np.full(len(parts), 20), abs=3), "as high as the line"
        assert ((parts[:, 1] - parts[:, 0]) @ along >= -1e-3).all()

    def test_all_of_a_line_is_the_line(self) -> None:
        line = line_rectangle(slanted(300, 20, 7), exact=False)
        assert line is not None
        assert parts_of_line(line.corners, np.array([[0, 1]]))[0] == pytest.approx(line.corners)

    def test_paddlexs_frame_is_upright(self) -> None:
        quad = np.array([[10, 20], [110, 24], [109, 44], [9, 40]], np.int32)
        assert paddlex_word_frame(quad, is_tall=False).tolist() == [[10, 20], [110, 20], [110, 44], [10, 44]]
        assert paddlex_word_frame(quad, is_tall=True)[0].tolist() == [110, 20]
