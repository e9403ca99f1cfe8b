"""Points on the page that was read, mapped back to the page as the caller sent it."""

import numpy as np
import pytest

from tritonocr_backend.documents.pages import Page
from tritonocr_backend.pipeline.doc_preprocessing import rotate
from tritonocr_backend.pipeline.page_transform import PageTransform, to_input


@pytest.mark.parametrize("angle", [0, 90, 180, 270])
def test_a_turned_page_is_turned_back(angle: int) -> None:
    pixels = np.zeros((30, 50, 3), np.uint8)
    pixels[4, 7] = 255  # the one white pixel, centre (7.5, 4.5)
    turned = rotate(Page(pixels, (30, 50)), angle)
    y, x = np.argwhere(turned.pixels[..., 0])[0]
    transform = PageTransform((30, 50), angle, None, turned.size)
    assert to_input(np.array([x + 0.5, y + 0.5]), transform).tolist() == [7.5, 4.5]


def test_shapes_are_kept() -> None:
    quads = np.zeros((5, 4, 2), np.int32)
    assert to_input(quads, PageTransform((30, 50), 90, None, (50, 30))).shape == (5, 4, 2)
    assert to_input(quads[:0], PageTransform((30, 50), 90, None, (50, 30))).shape == (0, 4, 2)


@pytest.mark.parametrize(
    ("reduction", "tolerance_px"),
    [
        pytest.param(1, 1e-3, id="sampled at full size"),
        pytest.param(4, 4, id="sampled at a quarter: pixel centres of both sizes differ"),
    ],
)
def test_an_identical_grid_moves_nothing(reduction: int, tolerance_px: float) -> None:
    grid = np.stack(np.meshgrid(np.linspace(-1, 1, 31), np.linspace(-1, 1, 45))).astype(np.float32)
    points = np.array([[0, 0], [400, 0], [0, 300], [400, 300], [123, 45]], np.float32)
    mapped = to_input(points, PageTransform((300, 400), 0, grid, (300, 400), reduction))
    assert np.abs(mapped - points).max() < tolerance_px


def test_points_beyond_the_grid_continue_straight_on() -> None:
    grid = np.stack(np.meshgrid(np.linspace(-0.5, 0.5, 3), np.linspace(-0.5, 0.5, 3))).astype(np.float32)
    transform = PageTransform((101, 101), 0, grid, (101, 101))
    assert np.allclose(to_input(np.array([110.5, 50.5]), transform), [80.5, 50.5])
