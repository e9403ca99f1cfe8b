"""CSV (RFC 4180): one record per line of text, in reading order."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator

from ..page_text import PageText

COLUMNS = (
    *("file", "page", "block", "block_kind", "row", "line", "text", "score"),
    *("left", "top", "right", "bottom", "polygon"),
)


def write(pages: Iterable[PageText]) -> Iterator[str]:
    """Yield the header, then the records of each page. All numbers count from 1."""
    yield _records([COLUMNS])
    for page in pages:
        yield _records(_lines(page))


def _records(rows: Iterable[Iterable[object]]) -> str:
    output = io.StringIO(newline="")
    csv.writer(output).writerows(rows)
    return output.getvalue()


def _lines(page: PageText) -> Iterator[list[object]]:
    row_number = line_number = 0
    for block_number, block in enumerate(page.blocks, 1):
        for row in block.rows:
            row_number += 1
            for line in row:
                line_number += 1
                place = page.name, page.number, block_number, block.kind, row_number, line_number
                polygon = " ".join(f"{round(x)},{round(y)}" for x, y in line.quad)
                yield [*place, line.text, f"{line.score:.4f}", *line.box, polygon]
