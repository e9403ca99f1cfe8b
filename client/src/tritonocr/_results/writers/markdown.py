"""Markdown (CommonMark, tables as GitHub's): headings, paragraphs, and tables whose columns are clear."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ..page_text import PageBlock, PageText, TextLine
from ..saving import escaped_markdown


def write(pages: Iterable[PageText]) -> Iterator[str]:
    """Yield the Markdown of each page, with an empty line between pages."""
    is_first = True
    for page in pages:
        if body := page_body(page):
            yield ("" if is_first else "\n") + body + "\n"
            is_first = False


def page_body(page: PageText) -> str:
    """Return the blocks of a page with an empty line between them."""
    return "\n\n".join(block_bodies(page))


def block_bodies(page: PageText) -> list[str]:
    """Return the Markdown of each block of a page."""
    return [_block(block) for block in page.blocks]


def _block(block: PageBlock) -> str:
    rows = [_row(row) for row in block.rows]
    if block.kind == "heading":
        return f"## {' '.join(rows)}"
    if block.kind == "table":
        cells = table_cells(block.rows)
        return _table(cells) if cells else "  \n".join(rows)
    return "\n".join(rows)


def _row(row: Sequence[TextLine]) -> str:
    return escaped_markdown(" ".join(line.text for line in row))


def _table(cells: Sequence[Sequence[str]]) -> str:
    head, *body = [f"| {' | '.join(map(escaped_markdown, row))} |" for row in cells]
    return "\n".join([head, f"|{' --- |' * len(cells[0])}", *body])


def table_cells(rows: Sequence[Sequence[TextLine]]) -> list[list[str]]:
    """Return the texts of a table's cells by row and column; an empty list if the columns are not clear.

    Columns are bands that no line crosses. They are clear if there are at least two and if no row has two
    lines in the same band.
    """
    lines = sorted((line.box[0], line.box[2]) for row in rows for line in row)
    bands: list[list[int]] = []
    for left, right in lines:
        if bands and left < bands[-1][1]:
            bands[-1][1] = max(bands[-1][1], right)
        else:
            bands.append([left, right])
    if len(rows) < 2 or len(bands) < 2:
        return []
    cells = [["" for _ in bands] for _ in rows]
    for row, row_cells in zip(rows, cells, strict=True):
        for line in row:
            column = sum(band[0] <= line.box[0] for band in bands) - 1
            if row_cells[column]:
                return []
            row_cells[column] = line.text
    return cells
