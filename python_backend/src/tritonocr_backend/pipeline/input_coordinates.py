"""Map the result of a page to the coordinates of the page as the caller sent it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tritonocr_backend.core.arrays import Quads
from tritonocr_backend.pipeline.page_transform import PageTransform, to_input
from tritonocr_backend.pipeline.records import Line, PageResult, PlacedText


def in_input_coordinates(result: PageResult, transform: PageTransform) -> PageResult:
    """Return a result whose boxes, words and characters are in pixels of the page as given.

    Corners keep their order: the first one is the top left corner of the text, wherever it is on that page.
    """
    boxes = replace(result.boxes, quads=quads_to_input(result.boxes.quads, transform))
    lines = tuple(_line_to_input(line, transform) for line in result.lines)
    return replace(result, boxes=boxes, lines=lines)


def quads_to_input(quads: Quads, transform: PageTransform) -> Quads:
    """Map int32 [..., 4, 2] to the page as given, rounded and clipped to it."""
    height, width = transform.input_size
    return np.clip(np.rint(to_input(quads, transform)), 0, (width, height)).astype(np.int32)


def _line_to_input(line: Line, transform: PageTransform) -> Line:
    return replace(line, words=_moved(line.words, transform), characters=_moved(line.characters, transform))


def _moved(texts: tuple[PlacedText, ...], transform: PageTransform) -> tuple[PlacedText, ...]:
    return tuple(replace(text, quad=quads_to_input(text.quad, transform)) for text in texts)
