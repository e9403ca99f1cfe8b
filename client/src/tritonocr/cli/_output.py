"""Print and save the results of one file."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from enum import Enum
from pathlib import Path
from typing import Any

from .._exceptions import InvalidInputError
from .._results.result import OCRResult
from .._results.saving import can_print, write_whole


class Format(str, Enum):
    """Format of the results."""

    table = "table"
    json = "json"
    text = "text"
    pdf = "pdf"


def needs_pictures(output: Format, save_path: Path | None) -> bool:
    """Return whether the output contains page pictures; transferring them costs time."""
    return output is Format.pdf or (output is Format.table and save_path is not None)


def write_pdf(pages: Iterable[OCRResult], directory: Path | None, stem: str) -> None:
    """Write the pages of a file as one PDF, into a directory or to standard output."""
    from .._results.pdf import searchable_pdf

    content = searchable_pdf(pages)
    if directory is None:
        sys.stdout.buffer.write(content)
    else:
        directory.mkdir(parents=True, exist_ok=True)
        write_whole(directory / f"{stem}_res.pdf", content)


def save(output: Format, directory: Path, page: OCRResult) -> None:
    """Write a page into a directory; the format `table` writes JSON and pictures, as PaddleX does."""
    directory.mkdir(parents=True, exist_ok=True)
    if output is Format.text:
        page.save_to_text(directory)
        return
    page.save_to_json(directory)
    if output is Format.table:
        page.save_to_img(directory)


def show(output: Format, page: OCRResult, *, with_names: bool) -> None:
    """Print a page on standard output.

    Args:
        output: `table`; `json`, one line per page; or `text`.
        page: the page.
        with_names: print the page's name above its text.
    """
    if output is Format.json:
        line = json.dumps(page.json["res"], ensure_ascii=False)
        sys.stdout.write((line if can_print(line, sys.stdout) else json.dumps(page.json["res"])) + "\n")
    elif output is Format.text:
        heading = f"==> {_title(page)} <==\n" if with_names else ""
        sys.stdout.write(f"{heading}{page.text}\n")
    else:
        _print_table(page)
    sys.stdout.flush()


def check_printable(output: Format, job_count: int) -> None:
    """Check that standard output can hold the results.

    Raises:
        InvalidInputError: the output is a PDF on a terminal, or several PDFs in one stream.
    """
    if output is Format.pdf and job_count != 1:
        raise InvalidInputError(f"{job_count} PDFs cannot be written to standard output; give --save_path.")
    if output is Format.pdf and sys.stdout.isatty():
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
