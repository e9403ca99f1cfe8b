"""Render the pages of a PDF, in a process with bounded time and memory."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tritonocr_backend.core.arrays import Image
from tritonocr_backend.core.errors import InvalidInputError
from tritonocr_backend.core.page_messages import PageWarning
from tritonocr_backend.documents.document import MAX_SIDE_PX, Document
from tritonocr_backend.documents.pages import Page, ReductionOf
from tritonocr_backend.documents.pdf_documents import (
    PageShape,
    PasswordRequiredError,
    PdfDocument,
    PdfError,
    RenderLimits,
)
from tritonocr_backend.documents.text_layer import TextLayer

POINTS_PER_INCH = 72
PADDLEX_DPI = 144  # PaddleX renders at a scale of 2 pixels per point
AUTOMATIC_DPI = 0
MAX_AUTOMATIC_SIDE_PX = 4096  # an A4 page scanned at 300 dpi has 3508


@dataclass(frozen=True)
class PdfOptions:
    """How the pages of a PDF are read.

    Attributes:
        dpi: resolution in pixels per inch. 0: the resolution of the pictures on the page, between 144 dpi and
            a longest side of 4096 px.
    """

    dpi: int = AUTOMATIC_DPI


def open_pdf(data: bytes, max_pixels: int, limits: RenderLimits, options: PdfOptions) -> Document:
    """Open a PDF; see `decode.open_document`.

    A page with more than `max_pixels` is rendered smaller, with a warning.

    Raises:
        InvalidInputError: the PDF is corrupt, has no pages, needs a password or exceeds a limit.
    """
    try:
        pdf = PdfDocument(data, limits)
    except PasswordRequiredError as error:
        raise InvalidInputError(
            "file: the PDF is protected by a password, expected a PDF without a password", "protected"
        ) from error
    except PdfError as error:
        message = f"file: the PDF is corrupt or has no pages ({error})"
        raise InvalidInputError(message, "unreadable") from error

    def read_page(index: int, reduction_of: ReductionOf) -> Page:
        with _page_errors(index):
            pixels, warnings = _render_page(pdf, index, max_pixels, options)
        return Page.reduced(pixels, reduction_of, warnings)

    def read_text(index: int) -> TextLayer:
        with _page_errors(index):
            placement = _placement(pdf, index, max_pixels, options)
            return TextLayer.from_answer(*pdf.text(index), placement.size, placement.scale)

    return Document(pdf.page_count, read_page, pdf.close, read_text)


@contextmanager
def _page_errors(index: int) -> Iterator[None]:
    try:
        yield
    except PdfError as error:
        message = f"file: page {index} of the PDF is corrupt ({error})"
        raise InvalidInputError(message, "unreadable") from error


@dataclass(frozen=True)
class _Placement:
    """The rendering of a page: (height, width) in px, px per unit of page space, and warnings."""

    size: tuple[int, int]
    scale: float
    warnings: tuple[PageWarning, ...]


def _render_page(
    pdf: PdfDocument, index: int, max_pixels: int, options: PdfOptions
) -> tuple[Image, tuple[PageWarning, ...]]:
    placement = _placement(pdf, index, max_pixels, options)
    height, width = placement.size
    return pdf.render(index, placement.scale, height * width), placement.warnings


def _placement(pdf: PdfDocument, index: int, max_pixels: int, options: PdfOptions) -> _Placement:
    """Open a page and decide its resolution."""
    shape = pdf.page_shape(index, with_picture_dpi=options.dpi == AUTOMATIC_DPI)
    dpi = wanted_dpi(shape, options)
    possible = largest_dpi(shape, max_pixels)
    warnings: tuple[PageWarning, ...] = ()
    if dpi > possible:
        warnings = (_rendered_smaller(index, dpi, possible),)
        dpi = possible
    scale = dpi / POINTS_PER_INCH * shape.unit
    return _Placement((math.ceil(shape.height * scale), math.ceil(shape.width * scale)), scale, warnings)


def wanted_dpi(shape: PageShape, options: PdfOptions) -> float:
    """Return the resolution to render at, before the limits of size are applied."""
    if options.dpi != AUTOMATIC_DPI:
        return options.dpi
    longest_inches = max(shape.width, shape.height) * shape.unit / POINTS_PER_INCH
    return max(PADDLEX_DPI, min(shape.picture_dpi, MAX_AUTOMATIC_SIDE_PX / max(longest_inches, 1e-6)))


def largest_dpi(shape: PageShape, max_pixels: int) -> float:
    """Return the highest resolution at which the page has at most `max_pixels` and no side is too long."""
    height, width = (max(side * shape.unit / POINTS_PER_INCH, 1e-6) for side in (shape.height, shape.width))
    # Sides are rounded up: (width * dpi + 1) * (height * dpi + 1) <= max_pixels.
    linear = (height + width) / (2 * height * width)
    by_area = math.sqrt(linear**2 + (max_pixels - 1) / (height * width)) - linear
    return min(by_area, (MAX_SIDE_PX - 1) / max(height, width))


def _rendered_smaller(index: int, wanted: float, used: float) -> PageWarning:
    return PageWarning(
        "rendered_smaller",
        f"Page {index} of the PDF is too large for {wanted:.4g} dpi (limit max_pixels) and was rendered at "
        f"{used:.3g} dpi, so small text may be missing.",
    )
