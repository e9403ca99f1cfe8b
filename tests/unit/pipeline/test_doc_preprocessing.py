"""Document orientation: the image for the network, and the rotation of the page."""

import tracemalloc

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tritonocr_backend.documents.pages import Page
from tritonocr_backend.pipeline.doc_preprocessing import doc_angle, resize_for_doc_orientation, rotate


def page(height: int, width: int) -> np.ndarray:
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 3)


class TestResize:
    @pytest.mark.parametrize(
        ("height", "width"),
        [
            pytest.param(512, 1024, id="landscape"),
            pytest.param(1024, 512, id="portrait"),
            pytest.param(256, 256, id="exactly the short side"),
            pytest.param(100, 130, id="enlarged"),
            pytest.param(301, 477, id="sides that do not divide"),
            pytest.param(60, 1500, id="a long strip"),
        ],
    )
    def test_short_side_to_256_then_the_centre(self, height: int, width: int) -> None:
        ratio = 256 / min(height, width)
        resized = cv2.resize(page(height, width), (round(width * ratio), round(height * ratio)))
        y, x = (resized.shape[0] - 224) // 2, (resized.shape[1] - 224) // 2
        seen = resize_for_doc_orientation(page(height, width))
        assert seen.dtype == np.uint8
        assert seen.flags.c_contiguous
        assert (seen == resized[y : y + 224, x : x + 224]).all()

    @given(st.integers(1, 700), st.integers(1, 700))
    def test_gives_224_by_224_of_any_page(self, height: int, width: int) -> None:
        assert resize_for_doc_orientation(np.zeros((height, width, 3), np.uint8)).shape == (224, 224, 3)

    def test_of_a_strip_it_sees_the_middle(self) -> None:
        strip = np.zeros((2, 1001, 3), np.uint8)
        strip[:, 500] = 255
        seen = resize_for_doc_orientation(strip)
        assert seen.max() > 250
        assert (seen.max(axis=(0, 2)) > 0).sum() <= 256, "one column of two high, 128 px wide, and its edges"

    @pytest.mark.parametrize("shape", [(1, 1_000_000, 3), (1_000_000, 1, 3)])
    def test_a_line_of_pixels_does_not_fill_the_memory(self, shape: tuple[int, int, int]) -> None:
        """256 px high it would be 256 million px wide: 200 GB."""
        thin = np.zeros(shape, np.uint8)
        tracemalloc.start()
        try:
            assert resize_for_doc_orientation(thin).shape == (224, 224, 3)
            assert tracemalloc.get_traced_memory()[1] < 100e6
        finally:
            tracemalloc.stop()


class TestRotation:
    @pytest.mark.parametrize(
        ("probabilities", "angle"),
        [
            ([0.7, 0.1, 0.1, 0.1], 0),
            ([0.1, 0.7, 0.1, 0.1], 90),
            ([0.1, 0.1, 0.7, 0.1], 180),
            ([0.1, 0.1, 0.1, 0.7], 270),
            pytest.param([0.4, 0.4, 0.1, 0.1], 0, id="the first of equals"),
        ],
    )
    def test_the_most_likely_angle(self, probabilities: list[float], angle: int) -> None:
        assert doc_angle(np.array(probabilities, np.float32)) == angle

    @pytest.mark.parametrize("angle", [0, 90, 180, 270])
    def test_turns_counter_clockwise_without_losing_a_pixel(self, angle: int) -> None:
        turned = rotate(Page(page(30, 50), (30, 50)), angle)
        assert turned.pixels.flags.c_contiguous
        assert (turned.pixels == np.rot90(page(30, 50), angle // 90)).all()
        assert turned.size == turned.pixels.shape[:2]

    def test_a_smaller_page_keeps_the_size_that_it_was_given_with(self) -> None:
        turned = rotate(Page(page(30, 50), (60, 99), 2), 90)
        assert (turned.size, turned.reduction) == ((99, 60), 2)

    def test_a_quarter_turn_brings_the_right_edge_to_the_top(self) -> None:
        image = np.zeros((2, 3, 3), np.uint8)
        image[:, 2] = 255
        assert (rotate(Page(image, (2, 3)), 90).pixels[0] == 255).all()
