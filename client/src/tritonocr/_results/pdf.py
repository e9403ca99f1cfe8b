"""Searchable PDFs: the picture of each page, and its text as an invisible layer at the same place."""

from __future__ import annotations

import io
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .._exceptions import missing_extra
from .reading_order import reading_quad, reads_right_to_left

try:
    from fontTools.fontBuilder import FontBuilder  # type: ignore[import-untyped]
    from fontTools.ttLib.tables._c_m_a_p import CmapSubtable  # type: ignore[import-untyped]
    from fontTools.ttLib.tables._g_l_y_f import Glyph  # type: ignore[import-untyped]
    from reportlab.lib.utils import ImageReader  # type: ignore[import-untyped]
    from reportlab.pdfbase import pdfmetrics  # type: ignore[import-untyped]
    from reportlab.pdfbase.ttfonts import TTFont  # type: ignore[import-untyped]
    from reportlab.pdfgen.canvas import Canvas  # type: ignore[import-untyped]
except ImportError as error:
    raise missing_extra("viz", "Writing PDFs", error) from error


_FONT = "TritonOCR-Blank"
_ADVANCE_EM = 0.5
_INVISIBLE = 3  # PDF 32000-1, table 106
_POINTS_PER_PIXEL = 0.5  # 144 dots per inch, at which the server renders PDF pages
_MAX_POINTS = 14400.0  # PDF 32000-1, annex C.2: readers stop there


class PageWithPicture(Protocol):
    """What a PDF needs of a page; an `OCRResult` with its picture has it."""

    @property
    def ok(self) -> bool:
        """Return whether the page was read."""

    def page_picture(self) -> bytes:
        """Return the encoded picture that all boxes refer to."""

    def __getitem__(self, key: str, /) -> Any:
        """Return a field by its PaddleX key: `rec_polys`, `rec_texts`."""


def searchable_pdf(results: Iterable[PageWithPicture]) -> bytes:
    """Make one PDF of the given pages; the same pages give the same bytes.

    Args:
        results: pages with their pictures, which `return_page_images=True` asks for.

    Raises:
        InvalidInputError: a page has no picture.
    """
    _register_font()
    output = io.BytesIO()
    canvas = Canvas(output, invariant=True, pageCompression=1)
    for result in results:
        _add_page(canvas, result)
    canvas.save()
    return output.getvalue()


def _add_page(canvas: Any, result: PageWithPicture) -> None:
    if not result.ok:
        canvas.showPage()  # keeps the numbers of the pages that follow
        return
    picture = ImageReader(io.BytesIO(result.page_picture()))
    width_px, height_px = picture.getSize()
    scale = min(_POINTS_PER_PIXEL, _MAX_POINTS / max(width_px, height_px))
    canvas.setPageSize((width_px * scale, height_px * scale))
    canvas.drawImage(picture, 0, 0, width_px * scale, height_px * scale)
    for line in np.argsort(result["reading_order"]).tolist():
        text = result["rec_texts"][line]
        if text:
            quad = reading_quad(result["rec_polys"][line])
            _add_line(canvas, _to_points(quad, height_px, scale), text)
    canvas.showPage()


def _to_points(poly: NDArray[np.float64], height_px: int, scale: float) -> NDArray[np.float64]:
    """Pixels from the top left to points from the bottom left."""
    x, y = poly.T
    return np.stack([x * scale, (height_px - y) * scale], axis=1)


def _add_line(canvas: Any, quad: NDArray[np.float64], text: str) -> None:
    """Write a line along its quadrilateral's lower edge, stretched to fill it.

    Text that reads right to left runs from the right end in mirrored letters, so that it is found and copied
    in the order in which it is read.
    """
    start, end = (quad[2], quad[3]) if reads_right_to_left(text) else (quad[3], quad[2])
    units = _utf16_units(text)
    along = (end - start) / (len(units) * _ADVANCE_EM)
    up = quad[0] - quad[3]
    line = canvas.beginText()
    line.setFont(_FONT, 1)
    line.setTextRenderMode(_INVISIBLE)
    line.setTextTransform(along[0], along[1], up[0], up[1], start[0], start[1])
    line.textOut(units)
    canvas.drawText(line)


def _utf16_units(text: str) -> str:
    """Return the text as UTF-16 code units: reportlab's ToUnicode tables hold 16 bits per character."""
    encoded = text.encode("utf-16-le", "surrogatepass")
    return "".join(map(chr, np.frombuffer(encoded, "<u2")))


@lru_cache
def _register_font() -> None:
    """Make reportlab know a font of one empty glyph, which stands for every character.

    Invisible text needs no shapes, so every script can be written, with or without a font for it.
    """
    builder = FontBuilder(1000, isTTF=True)
    names = [".notdef", "blank"]
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({})
    subtable = CmapSubtable.newSubtable(12)
    subtable.platformID, subtable.platEncID, subtable.language = 3, 10, 0
    subtable.cmap = dict.fromkeys(range(0x20, 0x10000), "blank")
    builder.font["cmap"].tables = [subtable]
    builder.setupGlyf({name: Glyph() for name in names})
    builder.setupHorizontalMetrics({name: (round(_ADVANCE_EM * 1000), 0) for name in names})
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": _FONT, "styleName": "Regular", "psName": _FONT})
    builder.setupOS2()
    builder.setupPost()
    file = io.BytesIO()
    builder.save(file)
    file.seek(0)
    pdfmetrics.registerFont(TTFont(_FONT, file))
