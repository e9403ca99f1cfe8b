"""Results from a PDF's own text, alone and merged with OCR."""

import numpy as np
import pytest

from tritonocr_backend.documents.pages import Page
from tritonocr_backend.documents.text_layer import LayerLine, LayerWord, TextLayer
from tritonocr_backend.pipeline.reading_order import page_layout
from tritonocr_backend.pipeline.records import Line, PageResult
from tritonocr_backend.pipeline.text_detection import DetectedBoxes
from tritonocr_backend.pipeline.text_layer import layer_result, merged_result


def quad(x: int, y: int, width: int = 50, height: int = 10) -> np.ndarray:
    return np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]], np.int32)


def layer(*, is_sound: bool = True) -> TextLayer:
    lines = (
        LayerLine((LayerWord("second", quad(0, 40)),), quad(0, 40)),
        LayerLine((LayerWord("first", quad(0, 0)), LayerWord("line", quad(60, 0))), quad(0, 0, 110)),
    )
    return TextLayer((200, 300), lines, is_sound, np.array([[0.0, 100.0, 300.0, 200.0]]))


def test_the_lines_of_a_layer_are_a_page_in_reading_order() -> None:
    result = layer_result(layer(), with_words=True)
    assert result.size == (200, 300)
    assert [line.text for line in result.lines] == ["first line", "second"]
    assert [line.box_index for line in result.lines] == [0, 1]
    assert [line.source for line in result.lines] == ["pdf", "pdf"]
    assert [line.score for line in result.lines] == [1, 1]
    assert [word.text for word in result.lines[0].words] == ["first", "line"]
    assert result.boxes.quads[:, 0].tolist() == [[0, 0], [0, 40]]
    assert result.line_angles.tolist() == [-1, -1]
    assert result.warnings == ()


def test_words_are_left_out_unless_requested() -> None:
    assert layer_result(layer(), with_words=False).lines[0].words == ()


def test_an_unsound_layer_has_a_warning() -> None:
    result = layer_result(layer(is_sound=False), with_words=False)
    assert [warning.code for warning in result.warnings] == ["text_layer_unsound"]


def test_an_empty_layer_is_an_empty_page() -> None:
    empty = TextLayer((20, 30), (), True, np.empty((0, 4)))
    result = layer_result(empty, with_words=True)
    assert (result.lines, result.boxes.quads.shape) == ((), (0, 4, 2))


def test_lines_of_pictures_join_the_layer() -> None:
    quads = np.stack([quad(0, 1), quad(0, 150), quad(200, 60)])
    texts = ("first iine", "in the picture", "beside everything")
    ocr = PageResult(
        size=(200, 300),
        page=Page(np.zeros((200, 300, 3), np.uint8), (200, 300)),
        doc_angle=-1,
        transform=None,
        unwarped=False,
        boxes=DetectedBoxes(quads, np.array([0.9, 0.8, 0.7], np.float32), False),
        line_angles=np.zeros(3, np.int32),
        lines=tuple(Line(index, text, 0.5) for index, text in enumerate(texts)),
        layout=page_layout(quads, (200, 300), list(texts), np.zeros(3, bool)),
    )
    result = merged_result(layer(), ocr, with_words=False)
    assert [line.text for line in result.lines] == ["first line", "second", "in the picture"]
    assert [line.source for line in result.lines] == ["pdf", "pdf", "ocr"]
    assert [line.box_index for line in result.lines] == [0, 1, 2]
    assert result.boxes.scores == pytest.approx([1, 1, 0.8])
    assert result.page is ocr.page
