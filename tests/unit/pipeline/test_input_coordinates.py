"""Results in coordinates of the page as the caller sent it."""

import numpy as np
from fake_models import STRAIGHT_GRID

from tritonocr_backend.documents.pages import Page
from tritonocr_backend.pipeline.input_coordinates import in_input_coordinates
from tritonocr_backend.pipeline.page_transform import PageTransform
from tritonocr_backend.pipeline.reading_order import PageLayout
from tritonocr_backend.pipeline.records import Line, PageResult, PlacedText
from tritonocr_backend.pipeline.text_detection import DetectedBoxes

QUAD = [[100, 40], [300, 40], [300, 70], [100, 70]]


def mapped(transform: PageTransform, quad: list[list[int]] = QUAD) -> PageResult:
    boxes = DetectedBoxes(np.array([quad], np.int32), np.ones(1, np.float32), False)
    words = tuple(PlacedText(text, np.array(QUAD, np.int32), 1.0) for text in ("two", "words"))
    lines = (Line(0, "two words", 1.0, words),)
    page = Page(np.zeros((4, 4, 3), np.uint8), (480, 640))
    result = PageResult(
        (480, 640), page, 0, transform, True, boxes, np.zeros(1, np.int32), lines, PageLayout.empty()
    )
    return in_input_coordinates(result, transform)


def test_a_page_that_was_not_changed_keeps_its_boxes() -> None:
    same = mapped(PageTransform((480, 640), 0, None, (480, 640)))
    assert same.boxes.quads.tolist() == [QUAD]
    assert [word.quad.tolist() for word in same.lines[0].words] == [QUAD, QUAD]


def test_a_page_that_was_turned_gets_boxes_on_its_side() -> None:
    """The text of a page of 480 x 640 px that lies on its right side runs from bottom to top there."""
    moved = mapped(PageTransform((640, 480), 90, None, (480, 640)))
    assert moved.boxes.quads.tolist() == [[[440, 100], [440, 300], [410, 300], [410, 100]]]
    assert moved.lines[0].words[0].quad.tolist() == moved.boxes.quads[0].tolist()


def test_boxes_of_a_flattened_page_are_on_the_page_as_given() -> None:
    corner = [[0, 0], [640, 0], [640, 480], [0, 480]]
    moved = mapped(PageTransform((480, 640), 0, STRAIGHT_GRID, (480, 640)), corner)
    (left, top), (right, bottom) = moved.boxes.quads[0, 0], moved.boxes.quads[0, 2]
    assert np.allclose([left, top, right, bottom], [32, 24, 608, 456], atol=1.5), "5 % were cut at each edge"


def test_boxes_are_clipped_to_the_page() -> None:
    beyond = 1.2 * STRAIGHT_GRID / 0.9
    corner = [[0, 0], [640, 0], [640, 480], [0, 480]]
    moved = mapped(PageTransform((480, 640), 0, beyond, (480, 640)), corner)
    assert moved.boxes.quads.tolist() == [corner]
