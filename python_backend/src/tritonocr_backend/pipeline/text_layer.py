"""Results from a PDF's own text, alone or together with the OCR of the pictures on its page."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tritonocr_backend.core.geometry import reading_order
from tritonocr_backend.core.page_messages import PageWarning
from tritonocr_backend.documents.pages import Page
from tritonocr_backend.documents.text_layer import LayerLine, TextLayer
from tritonocr_backend.pipeline.line_reading import NOT_CLASSIFIED
from tritonocr_backend.pipeline.page_transform import PageTransform
from tritonocr_backend.pipeline.reading_order import page_layout
from tritonocr_backend.pipeline.records import Line, PageResult, PlacedText
from tritonocr_backend.pipeline.text_detection import DetectedBoxes

Points = NDArray[np.float64]
UNSOUND = PageWarning(
    "text_layer_unsound",
    "The page's own text is missing, hidden, has no Unicode values or is cut at a limit, and pdf_text=only "
    "reads no pixels.",
)


def layer_result(layer: TextLayer, *, with_words: bool) -> PageResult:
    """Return the lines of a text layer as the result of a page, with score 1.

    The page of the result has no pixels.

    Args:
        layer: the text layer.
        with_words: whether the lines get their words.
    """
    page = Page(np.empty((0, 0, 3), np.uint8), layer.size)
    result = _result(page, layer.size, _layer_lines(layer.lines, with_words=with_words))
    return result if layer.is_sound else replace(result, warnings=(UNSOUND,))


def merged_result(layer: TextLayer, ocr: PageResult, *, with_words: bool) -> PageResult:
    """Return the lines of a text layer, and those lines of the OCR that the layer lacks.

    A line of the OCR is kept if its centre lies in one of the layer's regions and in no line of the layer.

    Args:
        layer: the text layer.
        ocr: the result of reading the rendered page, neither rotated nor unwarped.
        with_words: whether the layer's lines get their words.
    """
    kept = []
    boxes = _around([line.quad for line in layer.lines])
    for line in ocr.lines:
        quad = ocr.boxes.quads[line.box_index]
        centre = quad.mean(axis=0)
        if _is_inside(centre, layer.regions) and not _is_inside(centre, boxes):
            kept.append((line, quad, float(ocr.boxes.scores[line.box_index])))
    lines = [*_layer_lines(layer.lines, with_words=with_words), *kept]
    result = _result(ocr.page, ocr.size, lines)
    return replace(result, warnings=ocr.warnings)


_PlacedLine = tuple[Line, NDArray[np.int32], float]


def _layer_lines(lines: tuple[LayerLine, ...], *, with_words: bool) -> list[_PlacedLine]:
    placed = []
    for line in lines:
        words = tuple(PlacedText(word.text, word.quad, 1.0) for word in line.words) if with_words else ()
        placed.append((Line(-1, line.text, 1.0, words, source="pdf"), line.quad, 1.0))
    return placed


def _result(page: Page, size: tuple[int, int], lines: list[_PlacedLine]) -> PageResult:
    quads = np.array([quad for _, quad, _ in lines], dtype=np.int32).reshape(-1, 4, 2)
    order = reading_order(quads)
    ordered = [lines[index] for index in order]
    scores = np.array([score for _, _, score in ordered], dtype=np.float32)
    boxes = DetectedBoxes(quads[order].reshape(-1, 4, 2), scores, False)
    numbered = tuple(
        Line(index, line.text, line.score, line.words, line.characters, line.source)
        for index, (line, _, _) in enumerate(ordered)
    )
    angles = np.full(len(ordered), NOT_CLASSIFIED, dtype=np.int32)
    texts, turned = [line.text for line in numbered], np.zeros(len(numbered), dtype=bool)
    layout = page_layout(boxes.quads, size, texts, turned)
    as_given = PageTransform(size, 0, None, size)
    return PageResult(size, page, NOT_CLASSIFIED, as_given, False, boxes, angles, numbered, layout)


def _around(quads: list[NDArray[np.int32]]) -> Points:
    """Return [n, 4] boxes x_min, y_min, x_max, y_max around the quads."""
    points = np.array(quads, dtype=np.float64).reshape(-1, 4, 2)
    return np.concatenate([points.min(axis=1), points.max(axis=1)], axis=1)


def _is_inside(point: Points, boxes: Points) -> bool:
    x, y = point
    inside = (boxes[:, 0] <= x) & (x <= boxes[:, 2]) & (boxes[:, 1] <= y) & (y <= boxes[:, 3])
    return bool(inside.any())
