"""Write the pages of one file into one document."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from pathlib import Path

from .formats import document_format, formatted
from .result import OCRFailure, OCRResult
from .saving import output_path, utf8, write_pieces


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
        format: a name in `FORMATS`.

    Returns:
        The path of the written file; None if the file has no page.

    Raises:
        InvalidInputError: no format has this name, or the format holds one page and there are more.
        TritonOCRError: the input was not read; no file is written then.
    """
    row = document_format(format)
    pages = (_read_page(result) for result in results)
    first = next(pages, None)
    if first is None:
        return None
    path = output_path(save_path, first.file_stem, row.ending)
    return write_pieces(path, map(utf8, formatted(chain([first], pages), format)))


def _read_page(result: OCRResult | OCRFailure) -> OCRResult:
    if isinstance(result, OCRFailure):
        raise result.error
    return result
