"""Find the pictures on a PDF page and their resolution. Runs in the PDF worker."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pypdfium2 import raw

from tritonocr_backend.core.arrays import Floats

MAX_OBJECTS = 20_000
MAX_DEPTH = 8  # of forms within forms
POINTS_PER_INCH = 72
RESOLUTION_AREA = 0.25  # the pictures that set a page's resolution cover at least this part of the page
MIN_PICTURE_SIDE_PX = 16
MIN_PICTURE_AREA = 0.002  # of the page; smaller pictures are icons
GLYPH_SEGMENTS = 6  # a filled path of at least so many segments may be the outline of a character
GLYPH_HEIGHT_POINTS = (2.0, 72.0)
MIN_GLYPHS = 20  # a page with this number of outlines contains text that was converted to paths


@dataclass(frozen=True)
class Picture:
    """A picture on a page.

    Attributes:
        box: x_min, y_min, x_max, y_max in page space, in points.
        pixels: (width, height).
        dpi: pixels per inch of page space, the larger one of both directions.
    """

    box: tuple[float, float, float, float]
    pixels: tuple[int, int]
    dpi: float


@dataclass(frozen=True)
class PageContent:
    """The pictures of a page, and the boxes of paths that look like characters, in page space."""

    pictures: tuple[Picture, ...]
    glyph_boxes: tuple[tuple[float, float, float, float], ...]


def read_content(page: Any) -> PageContent:
    """Read the objects of a page and of its forms, at most `MAX_OBJECTS`."""
    pictures: list[Picture] = []
    glyphs: list[tuple[float, float, float, float]] = []
    for _, (item, kind, matrix) in zip(range(MAX_OBJECTS), _objects(page), strict=False):
        if kind == raw.FPDF_PAGEOBJ_IMAGE:
            pictures += _picture(item, matrix)
        elif kind == raw.FPDF_PAGEOBJ_PATH:
            glyphs += _glyph_box(item, matrix)
    return PageContent(tuple(pictures), tuple(glyphs) if len(glyphs) >= MIN_GLYPHS else ())


def picture_dpi(content: PageContent, page_box: tuple[float, float, float, float]) -> float:
    """Return the resolution of the pictures on a page; 0 if they cover less than a quarter of it.

    Pictures are taken from the highest resolution to the lowest until they cover a quarter of the page. The
    resolution of the last one is the result, so that a small logo of high resolution does not count.
    """
    page_area = _area(page_box)
    covered = 0.0
    for picture in sorted(content.pictures, key=lambda picture: -picture.dpi):
        covered += _area(_intersection(picture.box, page_box)) / page_area if page_area else 0
        if covered >= RESOLUTION_AREA:
            return picture.dpi
    return 0.0


def text_regions(
    content: PageContent, page_box: tuple[float, float, float, float]
) -> list[tuple[float, float, float, float]]:
    """Return the boxes on the page that may show text which is not in the text layer."""
    page_area = max(_area(page_box), 1e-9)
    regions = [
        _intersection(picture.box, page_box)
        for picture in content.pictures
        if min(picture.pixels) >= MIN_PICTURE_SIDE_PX
    ]
    regions = [region for region in regions if _area(region) >= MIN_PICTURE_AREA * page_area]
    if content.glyph_boxes:
        boxes = np.array(content.glyph_boxes)
        (x0, y0), (x1, y1) = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
        regions.append((float(x0), float(y0), float(x1), float(y1)))
    return regions


_Matrix = NDArray[np.float64]
IDENTITY: _Matrix = np.eye(3)
_Item = tuple[Any, int, _Matrix]


def _objects(page: Any) -> Iterator[_Item]:
    """Yield each object, also inside forms, with its type and the matrix from its space to the page's."""
    for index in range(raw.FPDFPage_CountObjects(page)):
        yield from _within(raw.FPDFPage_GetObject(page, index), IDENTITY, 0)


def _within(item: Any, matrix: _Matrix, depth: int) -> Iterator[_Item]:
    kind = raw.FPDFPageObj_GetType(item)
    if kind != raw.FPDF_PAGEOBJ_FORM:
        yield item, kind, matrix
        return
    if depth < MAX_DEPTH:
        inner = _matrix(item) @ matrix
        for index in range(raw.FPDFFormObj_CountObjects(item)):
            yield from _within(raw.FPDFFormObj_GetObject(item, index), inner, depth + 1)


def _matrix(item: Any) -> _Matrix:
    m = raw.FS_MATRIX()
    raw.FPDFPageObj_GetMatrix(item, m)
    return np.array([[m.a, m.b, 0], [m.c, m.d, 0], [m.e, m.f, 1]], dtype=np.float64)


def _picture(item: Any, matrix: _Matrix) -> list[Picture]:
    width, height = ctypes.c_uint(), ctypes.c_uint()
    if not raw.FPDFImageObj_GetImagePixelSize(item, width, height):
        return []
    placed = _matrix(item) @ matrix
    sides = [max(float(np.hypot(*placed[axis, :2])), 1e-6) for axis in (0, 1)]
    corners = np.array([[0, 0, 1], [1, 0, 1], [0, 1, 1], [1, 1, 1]]) @ placed
    pixels = (width.value, height.value)
    dpi = max(count / side for count, side in zip(pixels, sides, strict=True)) * POINTS_PER_INCH
    return [Picture(_around(corners[:, :2]), pixels, dpi)]


def _glyph_box(item: Any, matrix: _Matrix) -> list[tuple[float, float, float, float]]:
    fill, stroke = ctypes.c_int(), ctypes.c_int()
    raw.FPDFPath_GetDrawMode(item, fill, stroke)
    if fill.value == raw.FPDF_FILLMODE_NONE or raw.FPDFPath_CountSegments(item) < GLYPH_SEGMENTS:
        return []
    edges = [ctypes.c_float() for _ in range(4)]
    raw.FPDFPageObj_GetBounds(item, *edges)
    x0, y0, x1, y1 = (edge.value for edge in edges)
    box = _around((np.array([[x0, y0, 1], [x1, y0, 1], [x0, y1, 1], [x1, y1, 1]]) @ matrix)[:, :2])
    low, high = GLYPH_HEIGHT_POINTS
    return [box] if low <= box[3] - box[1] <= high and box[2] - box[0] <= 4 * high else []


def _around(points: Floats | NDArray[np.float64]) -> tuple[float, float, float, float]:
    (x0, y0), (x1, y1) = points.min(axis=0), points.max(axis=0)
    return float(x0), float(y0), float(x1), float(y1)


def _intersection(
    first: tuple[float, float, float, float], second: tuple[float, float, float, float]
) -> tuple[float, float, float, float]:
    return (
        max(first[0], second[0]),
        max(first[1], second[1]),
        min(first[2], second[2]),
        min(first[3], second[3]),
    )


def _area(box: tuple[float, float, float, float]) -> float:
    return max(box[2] - box[0], 0) * max(box[3] - box[1], 0)
