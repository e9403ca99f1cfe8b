"""Print and save the results of one file."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import typer

from tritonocr_common.quoting import quoted

from .._exceptions import InvalidInputError
from .._results import documents
from .._results.documents import PDF_A, PDF_ENDING, PDFS
from .._results.formats import FORMATS, formatted
from .._results.result import OCRResult
from .._results.saving import can_print, utf8

TABLE, TEXT, JSON = "table", "text", "json"
OUTPUTS = (TABLE, *FORMATS, *PDFS)
"""The values of `--format`."""


def known_output(name: str) -> str:
    """Return the value of `--format`.

    Raises:
        typer.BadParameter: no format has this name.
    """
    if name not in OUTPUTS:
        raise typer.BadParameter(f"got {quoted(name)}, expected one of {', '.join(OUTPUTS)}")
    return name


def needs_pictures(output: str, save_path: Path | None) -> bool:
    """Return whether the output contains page pictures; transferring them costs time."""
    return output in PDFS or (output == TABLE and save_path is not None)


def has_words(output: str) -> bool:
    """Return whether the output contains the places of words."""
    return output in PDFS or (output in FORMATS and FORMATS[output].has_words)


def is_document(output: str, directory: Path | None) -> bool:
    """Return whether all pages of a file go into one document."""
    if output == TABLE:
        return False
    if output in PDFS or directory is None:
        return output not in (TEXT, JSON)
    return not FORMATS[output].has_file_per_page


def write_document(output: str, pages: Iterable[OCRResult], directory: Path | None, stem: str) -> None:
    """Write the pages of a file as one document, into a directory or to standard output."""
    if directory is not None:
        directory.mkdir(parents=True, exist_ok=True)
        ending = PDF_ENDING if output in PDFS else FORMATS[output].ending
        documents.write_document(output, pages, directory / f"{stem}{ending}")
    elif output in PDFS:
        _print_pdf(output, pages)
    else:
        for piece in formatted(pages, output):
            sys.stdout.buffer.write(utf8(piece))
            sys.stdout.buffer.flush()


def _print_pdf(output: str, pages: Iterable[OCRResult]) -> None:
    from .._results.pdf import write_searchable_pdf

    with tempfile.TemporaryFile() as file:  # qpdf seeks in its output; a pipe cannot
        write_searchable_pdf(pages, file, pdf_a=output == PDF_A)
        file.seek(0)
        shutil.copyfileobj(file, sys.stdout.buffer)
    sys.stdout.buffer.flush()


def save(output: str, directory: Path, page: OCRResult) -> None:
    """Write a page into a directory; the format `table` writes JSON and pictures, as PaddleX does."""
    directory.mkdir(parents=True, exist_ok=True)
    if output != TABLE:
        page.save(directory, format=output)
        return
    page.save_to_json(directory)
    page.save_to_img(directory)


def show(output: str, page: OCRResult, *, with_names: bool) -> None:
    """Print a page on standard output.

    Args:
        output: `table`; `json`, one line per page; or `text`.
        page: the page.
        with_names: print the page's name above its text.
    """
    if output == JSON:
        line = json.dumps(page.json["res"], ensure_ascii=False)
        sys.stdout.write((line if can_print(line, sys.stdout) else json.dumps(page.json["res"])) + "\n")
    elif output == TEXT:
        heading = f"==> {_title(page)} <==\n" if with_names else ""
        sys.stdout.write(f"{heading}{page.text}\n")
    else:
        _print_table(page)
    sys.stdout.flush()


def check_printable(output: str, job_count: int) -> None:
    """Check that standard output can take the results.

    Raises:
        InvalidInputError: several documents of a format that cannot follow each other in one stream, or a PDF
            on a terminal.
    """
    can_be_joined = output in (TABLE, JSON) or (output in FORMATS and FORMATS[output].can_be_joined)
    if not can_be_joined and job_count != 1:
        raise InvalidInputError(
            f"{job_count} documents in the format {output!r} cannot be written to standard output; "
            "give --save_path."
        )
    if output in PDFS and sys.stdout.isatty():
        raise InvalidInputError(
            "A PDF cannot be printed on a terminal; give --save_path, or redirect the output to a file."
        )


def _title(result: OCRResult) -> str:
    page = "" if result["page_index"] is None else f", page {result['page_index'] + 1} of {result.page_count}"
    return f"{result.input_path or 'standard input'}{page}"


def _print_table(result: OCRResult) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(_title(result)), title_justify="left", box=box.SIMPLE_HEAD, highlight=False)
    table.add_column("score", justify="right")
    table.add_column("text", overflow="fold")
    table.add_column("box", no_wrap=True)
    for line in (line for block in result.blocks for line in block.lines):
        score, edges = result["rec_scores"][line], result["rec_boxes"][line].tolist()
        table.add_row(f"{score:.3f}", Text(result["rec_texts"][line]), " ".join(map(str, edges)))
    _console(Console).print(table)


def _console(console: Any) -> Any:
    """Return a console for standard output; a pipe has no width limit."""
    return console() if sys.stdout.isatty() else console(width=10_000)
