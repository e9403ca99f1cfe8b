"""Small print on large pages: it is found outside the boxes, and other textures are not taken for it."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from tritonocr_backend.documents.pages import Page, unreduced
from tritonocr_backend.pipeline.small_text import has_print_outside

HEIGHT, WIDTH = 3508, 2480  # A4 at 300 dpi
SCALE = 960 / HEIGHT
NO_BOXES = np.empty((0, 4, 2), np.int32)


def drawn(font_px: int, lines: int = 20, paper: int = 255, ink: int = 20) -> NDArray[np.uint8]:
    page = Image.new("RGB", (WIDTH, HEIGHT), (paper,) * 3)
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(font_px)
    for number in range(lines):
        position = (200, 700 + int(number * font_px * 1.4))
        draw.text(position, "The quick brown fox jumps over the lazy dog. " * 3, (ink,) * 3, font=font)
    return np.asarray(page)


def has_print(pixels: NDArray[np.uint8], quads: NDArray[np.int32] = NO_BOXES) -> bool:
    return has_print_outside(Page.reduced(pixels, unreduced), quads, SCALE)


@pytest.mark.parametrize("font_px", [12, 14, 16, 18])
def test_small_print_is_seen(font_px: int) -> None:
    assert has_print(drawn(font_px))


def test_one_line_is_enough() -> None:
    assert has_print(drawn(16, lines=1))


def test_columns_of_a_turned_page_are_seen() -> None:
    assert has_print(np.ascontiguousarray(drawn(16).transpose(1, 0, 2)))


def test_light_print_on_dark_paper_and_grey_print_are_seen() -> None:
    assert has_print(drawn(16, paper=20, ink=240))
    assert has_print(drawn(16, ink=150))


def test_print_inside_boxes_is_found_already() -> None:
    box = np.array([[[150, 650], [WIDTH, 650], [WIDTH, 1300], [150, 1300]]], np.int32)
    assert not has_print(drawn(16), box)


def test_text_that_detection_can_see_is_not_small_print() -> None:
    assert not has_print(drawn(40))


def test_print_below_the_size_that_can_be_read_is_ignored() -> None:
    page = Page.reduced(drawn(16), unreduced)
    assert not has_print_outside(page, NO_BOXES, scale=1.0)


def _noise() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)


def _halftone() -> NDArray[np.uint8]:
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return np.dstack([np.where((x % 12 < 6) & (y % 12 < 6), 0, 255).astype(np.uint8)] * 3)


def _blank() -> NDArray[np.uint8]:
    return np.full((HEIGHT, WIDTH, 3), 255, np.uint8)


def _grid() -> NDArray[np.uint8]:
    page = _blank()
    page[::20], page[:, ::40] = 0, 0
    return page


@pytest.mark.parametrize(
    "draw", [_noise, _halftone, _grid, lambda: np.full((HEIGHT, WIDTH, 3), 255, np.uint8)]
)
def test_other_textures_are_not_print(draw: Callable[[], NDArray[np.uint8]]) -> None:
    assert not has_print(draw())
