"""Crops of a line or two are read with a margin, and keep their orientation."""

import numpy as np
import pytest

from tritonocr_backend.documents.pages import Page, unreduced
from tritonocr_backend.pipeline.records import Line, PlacedText
from tritonocr_backend.pipeline.small_pages import (
    add_margin,
    drop_margin_boxes,
    is_crop,
    margin_of,
    without_margin,
)
from tritonocr_backend.pipeline.text_detection import DetectedBoxes

CROP = Page.reduced(np.random.default_rng(0).integers(0, 256, (40, 200, 3), dtype=np.uint8), unreduced)


def box(x: int, y: int, width: int, height: int) -> list[list[int]]:
    return [[x, y], [x + width, y], [x + width, y + height], [x, y + height]]


@pytest.mark.parametrize(
    ("height", "width", "margin"),
    [
        pytest.param(27, 245, 14, id="a tight line"),
        pytest.param(191, 3000, 96, id="just under the bound"),
        pytest.param(192, 3000, 0, id="a document"),
        pytest.param(3000, 40, 20, id="a column"),
        pytest.param(1, 1, 0, id="half a pixel is none"),
    ],
)
def test_a_crop_has_half_its_height_around_it(height: int, width: int, margin: int) -> None:
    page = Page.reduced(np.zeros((height, width, 3), np.uint8), unreduced)
    assert margin_of(page) == margin
    assert is_crop(page) == (min(height, width) < 192)


def test_the_margin_repeats_the_edges() -> None:
    framed = add_margin(CROP, 20)
    assert framed.size == (80, 240)
    assert (framed.pixels[20:60, 20:220] == CROP.pixels).all()
    assert (framed.pixels[:20, 20:220] == CROP.pixels[0]).all()


def test_boxes_and_words_return_to_the_page() -> None:
    boxes = DetectedBoxes(np.array([box(10, 15, 100, 50)], np.int32), np.array([0.9], np.float32), False)
    word = PlacedText("a", np.array(box(12, 18, 20, 50), np.int32), 0.5)
    moved, (line,) = without_margin(boxes, [Line(0, "a", 0.5, (word,), (word,))], CROP, 20)
    assert moved.quads.tolist() == [box(0, 0, 90, 40)]
    assert line.words[0].quad.tolist() == line.characters[0].quad.tolist() == box(0, 0, 12, 40)


def test_a_box_in_the_margin_alone_is_dropped_with_its_score() -> None:
    quads = np.array([box(2, 2, 100, 15), box(30, 30, 100, 20)], np.int32)
    boxes = drop_margin_boxes(DetectedBoxes(quads, np.array([0.9, 0.8], np.float32), False), CROP, 20)
    assert boxes.quads.tolist() == [box(30, 30, 100, 20)]
    assert boxes.scores == pytest.approx([0.8])


def test_a_document_stays_as_it_is() -> None:
    page = Page.reduced(np.zeros((200, 300, 3), np.uint8), unreduced)
    assert add_margin(page, margin_of(page)) is page
