"""Open a document: detect the format of the file and hand it to the reader of that format.

Pixels agree with OpenCV, as PaddleX's do. `image_files`, `tiff_files` and `pdf_pages` are
the readers.
"""

from __future__ import annotations

from tritonocr_backend.core.errors import InvalidInputError
from tritonocr_backend.documents.document import READABLE, Document, check_pixels
from tritonocr_backend.documents.image_files import SIGNATURES, open_image
from tritonocr_backend.documents.pdf_documents import RenderLimits
from tritonocr_backend.documents.pdf_pages import PdfOptions, open_pdf
from tritonocr_backend.documents.tiff_files import open_tiff
from tritonocr_common.file_formats import decoded_base64, is_pdf, is_tiff

__all__ = ["Document", "check_pixels", "open_document"]


def open_document(
    data: bytes, max_pixels: int, limits: RenderLimits | None = None, pdf_options: PdfOptions | None = None
) -> Document:
    """Open a file and count its pages without decoding any of them.

    Args:
        data: the file, or base64 text of the file with or without a `data:` prefix.
        max_pixels: largest number of pixels per page. Larger pages are rejected before they are decoded.
        limits: time and memory limits for each page of a PDF.
        pdf_options: how the pages of a PDF are read.

    Raises:
        InvalidInputError: the file is empty, corrupt, protected, too large or of an unsupported format.
    """
    if not data:
        raise InvalidInputError(f"file: got 0 bytes, expected {READABLE}", "unreadable")
    if (decoded := decoded_base64(data)) is not None:  # KServe's JSON protocol requires Base64
        data = decoded
    if is_pdf(data) and not data.startswith(tuple(SIGNATURES)):
        return open_pdf(data, max_pixels, limits or RenderLimits(), pdf_options or PdfOptions())
    if is_tiff(data):
        return open_tiff(data, max_pixels)
    return open_image(data, max_pixels)
