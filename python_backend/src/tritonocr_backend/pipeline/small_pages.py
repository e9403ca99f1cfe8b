"""Handle pages that are tight crops of one or two lines, such as the fields of a form.

Detection and recognition are trained on text with space around it, and the networks for whole documents fail
on crops: document orientation turns 34 of 58 upright crops of receipts. Crops therefore keep their
orientation, are not unwarped, and are read with a margin. 38 of the 58 crops are then read right; without the
margin 20 are.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from tritonocr_backend.core.arrays import Quads
from tritonocr_backend.documents.pages import Page
from tritonocr_backend.pipeline.line_geometry import line_rectangle
from tritonocr_backend.pipeline.records import Line, PlacedText
from tritonocr_backend.pipeline.text_detection import DetectedBoxes

MIN_DOCUMENT_SIDE_PX = 192
"""A page with a side below this number of pixels is a crop, not a document."""

MARGIN_RATIO = 0.5
"""Width of the margin over the shorter side of the page."""


def is_crop(page: Page) -> bool:
    """Return whether a page is a crop of one or two lines, not a document."""
    return min(page.size) < MIN_DOCUMENT_SIDE_PX


def margin_of(page: Page) -> int:
    """Return the width in pixels of the margin that is added to a page; 0 for a document."""
    return round(MARGIN_RATIO * min(page.size)) if is_crop(page) and page.reduction == 1 else 0


def add_margin(page: Page, margin_px: int) -> Page:
    """Return the page with a margin on all sides, filled with the colours of the page's edges."""
    if not margin_px:
        return page
    sides = (margin_px, margin_px, margin_px, margin_px)
    pixels = np.asarray(cv2.copyMakeBorder(page.pixels, *sides, cv2.BORDER_REPLICATE), dtype=np.uint8)
    return replace(page, pixels=pixels, size=(pixels.shape[0], pixels.shape[1]))


def drop_margin_boxes(boxes: DetectedBoxes, page: Page, margin_px: int) -> DetectedBoxes:
    """Leave out boxes that have no area on the page itself.

    Args:
        boxes: on the page with its margin.
        page: the page without the margin.
        margin_px: the width of the margin in pixels.
    """
    if not margin_px:
        return boxes
    on_page = _moved(boxes.quads, page.size, margin_px)
    kept = [i for i, quad in enumerate(on_page) if line_rectangle(quad, exact=False) is not None]
    return replace(boxes, quads=boxes.quads[kept], scores=boxes.scores[kept])


def without_margin(
    boxes: DetectedBoxes, lines: list[Line], page: Page, margin_px: int
) -> tuple[DetectedBoxes, list[Line]]:
    """Move boxes and lines from the page with its margin to the page itself, and clip them to it."""
    if not margin_px:
        return boxes, lines

    def moved(placed: PlacedText) -> PlacedText:
        return replace(placed, quad=_moved(placed.quad, page.size, margin_px))

    lines = [
        replace(line, words=tuple(map(moved, line.words)), characters=tuple(map(moved, line.characters)))
        for line in lines
    ]
    return replace(boxes, quads=_moved(boxes.quads, page.size, margin_px)), lines


def _moved(quads: Quads, size: tuple[int, int], margin_px: int) -> Quads:
    height, width = size
    return np.clip(quads - margin_px, 0, (width, height)).astype(np.int32)
