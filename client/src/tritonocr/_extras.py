"""Public functions that need the extra [viz]. They import it when they are called."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ._results.result import OCRResult


def searchable_pdf(
    results: Iterable[OCRResult], original: str | Path | bytes | None = None, *, pdf_a: bool = False
) -> bytes:
    """Make one searchable PDF of the pages of a file: their text is an invisible layer.

    The pages of a PDF stay as they are. Other pages are pictures, in the size that their resolution states.
    `save_document(results, path, format="pdf")` writes the same PDF page by page into a file.

    Args:
        results: the pages of one file. Read pictures with `return_page_images=True`, bent or turned pages
            with `coordinates="input"`, and PDFs with `pdf_text="auto"`, so that no text is added twice.
        original: the file that was read, as a path or bytes. None: the results' `input_path`, if it is a file
            on this machine, or else the bytes that the results hold.
        pdf_a: make PDF/A-2b; possible for images, and for PDFs that are PDF/A already.

    Raises:
        InvalidInputError: the original PDF cannot be opened or cannot be PDF/A, or a picture is missing.
        MissingExtraError: the extra [viz] is not installed.
    """
    from ._results import pdf

    return pdf.searchable_pdf(results, original, pdf_a=pdf_a)


def write_searchable_pdf(
    results: Iterable[OCRResult],
    output: IO[bytes],
    original: str | Path | bytes | None = None,
    *,
    pdf_a: bool = False,
) -> None:
    """Write the PDF of `searchable_pdf()` into an open file that can seek, page by page."""
    from ._results import pdf

    pdf.write_searchable_pdf(results, output, original, pdf_a=pdf_a)


def demo_page() -> NDArray[np.uint8]:
    """Draw a page that exercises every stage of the pipeline.

    Returns:
        [height, width, 3] BGR uint8.

    Raises:
        MissingExtraError: the extra [viz] is not installed.
    """
    from . import _demo

    return _demo.demo_page()
