"""Render the pages of a PDF at 144 dpi, in a process with bounded time and memory."""

from __future__ import annotations

from tritonocr_backend.core.arrays import Image
from tritonocr_backend.core.errors import InvalidInputError
from tritonocr_backend.documents.document import Document, check_pixels
from tritonocr_backend.documents.pages import Page, ReductionOf
from tritonocr_backend.documents.pdf_documents import (
    PasswordRequiredError,
    PdfDocument,
    PdfError,
    RenderLimits,
)

PDF_SCALE = 2.0  # pixels per point: 144 dpi, as PaddleX renders


def open_pdf(data: bytes, max_pixels: int, limits: RenderLimits) -> Document:
    """Open a PDF; see `decode.open_document`.

    Raises:
        InvalidInputError: the PDF is corrupt, has no pages, needs a password or exceeds a limit.
    """
    try:
        pdf = PdfDocument(data, limits)
    except PasswordRequiredError as error:
        raise InvalidInputError(
            "file: the PDF is protected by a password, expected one without", "protected"
        ) from error
    except PdfError as error:
        message = f"file: the PDF is corrupt or has no pages ({error})"
        raise InvalidInputError(message, "unreadable") from error

    def read_page(index: int, reduction_of: ReductionOf) -> Page:
        return Page.reduced(_render_page(pdf, index, max_pixels), reduction_of)

    return Document(pdf.page_count, read_page, pdf.close)


def _render_page(pdf: PdfDocument, index: int, max_pixels: int) -> Image:
    try:
        width, height = (max(round(side * PDF_SCALE), 1) for side in pdf.size(index))
        check_pixels(f"page {index} of the PDF at 144 dpi", height, width, max_pixels)
        return pdf.render(index, PDF_SCALE, height * width)
    except PdfError as error:
        message = f"file: page {index} of the PDF is corrupt ({error})"
        raise InvalidInputError(message, "unreadable") from error
