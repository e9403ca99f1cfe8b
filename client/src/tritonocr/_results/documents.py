"""Write the pages of one file into one document."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from pathlib import Path

from tritonocr_common.quoting import quoted

from .._exceptions import InvalidInputError
from .failure import OCRFailure
from .formats import FORMATS, document_format, formatted
from .result import OCRResult
from .saving import output_path, utf8, whole_file, write_pieces

PDF, PDF_A = "pdf", "pdfa"
PDFS = (PDF, PDF_A)
"""The formats that are searchable PDFs; they need the pictures of the pages."""
PDF_ENDING = "_res.pdf"


def save_document(
    results: Iterable[OCRResult | OCRFailure],
    save_path: str | Path,
    *,
    format: str,  # noqa: A002 (the usual name)
) -> Path | None:
    """Write the pages of one file into one document, page by page as they come.

    Args:
        results: the pages of one file in order, such as the iterator that `predict()` returns.
        save_path: the file, or a directory for a file named after the input.
        format: a name in `FORMATS`, or `pdf`, or `pdfa` for PDF/A-2b; see `searchable_pdf()`.

    Returns:
        The path of the written file; None if the file has no page.

    Raises:
        InvalidInputError: no format has this name, or the format holds one page and there are more.
        TritonOCRError: the input was not read; no file is written then.
    """
    if format not in (*FORMATS, *PDFS):
        raise InvalidInputError(
            f"The format is {quoted(format)}; expected one of {', '.join((*FORMATS, *PDFS))}."
        )
    ending = PDF_ENDING if format in PDFS else document_format(format).ending
    pages = (_read_page(result) for result in results)
    first = next(pages, None)
    if first is None:
        return None
    return write_document(format, chain([first], pages), output_path(save_path, first.file_stem, ending))


def write_document(format: str, pages: Iterable[OCRResult], path: Path) -> Path:  # noqa: A002
    """Write the pages of a file into a document at this path, page by page as they come."""
    if format not in PDFS:
        return write_pieces(path, map(utf8, formatted(pages, format)))
    from .pdf import write_searchable_pdf

    with whole_file(path) as file:
        write_searchable_pdf(pages, file, pdf_a=format == PDF_A)
    return path


def _read_page(result: OCRResult | OCRFailure) -> OCRResult:
    if isinstance(result, OCRFailure):
        raise result.error
    return result
