"""Plain text: one line per row of the page, with a form feed between pages, as pdftotext writes it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..page_text import PageText


def write(pages: Iterable[PageText]) -> Iterator[str]:
    """Yield the text of each page."""
    for index, page in enumerate(pages):
        yield ("\f" if index else "") + page_rows(page) + "\n"


def page_rows(page: PageText) -> str:
    """Return the rows of a page; lines side by side share a row, with a space between them."""
    return "\n".join(" ".join(line.text for line in row) for block in page.blocks for row in block.rows)
