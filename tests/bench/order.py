"""`make bench-order`: measure the reading order against the expected order, as in docs/documents.md.

It needs no server and no model: boxes and texts of 29 drawn layouts, and the ground truth of the corpus'
receipts. `--pictures` also draws the two pictures of the document.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from order_pages import LAYOUTS, DrawnPage, drawn_page, row_text
from order_receipts import receipt_lines
from order_scores import kendall_tau, text_score

from bench.order_pictures import numbered, rendered
from tritonocr_backend.core.geometry import reading_order
from tritonocr_backend.pipeline.reading_order import page_layout
from tritonocr_backend.pipeline.reading_order.rows import chain_rows

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "docs" / "images"
RECEIPTS = ROOT.parent / "shared" / "corpus" / "receipts"
TILTS_DEGREES = (0.0, 1.0, 2.0, 3.0, 4.0, 5.0, -3.0)
HELD_OUT = 2000
"""First seed of the benchmark. The rules were written with seeds below 20 and checked from 1000 on."""

Lines = tuple[list[int], list[int]]
"""Indices of lines in an order, and the row of each."""


def paddlex(page: DrawnPage) -> Lines:
    """Return PaddleX's order; each line is a row."""
    order = reading_order(page.quads.round().astype(np.int32)).tolist()
    return order, list(range(len(order)))


def plain_rows(page: DrawnPage) -> Lines:
    """Return rows from top to bottom: the order before this one."""
    boxes = np.concatenate([page.quads.min(axis=1), page.quads.max(axis=1)], axis=1)
    rows = chain_rows(boxes)
    return [line for row in rows for line in row], [number for number, row in enumerate(rows) for _ in row]


def with_texts(page: DrawnPage) -> Lines:
    """Return the order that the server gives."""
    return _lines(page.quads, page.size, page.texts)


def boxes_alone(page: DrawnPage) -> Lines:
    """Return the order without texts."""
    return _lines(page.quads, page.size, None)


def _lines(quads: NDArray[np.float64], size: tuple[int, int], texts: Sequence[str] | None) -> Lines:
    layout = page_layout(quads, size, texts)
    order = np.argsort(layout.reading_order)
    return order.tolist(), layout.row_index[order].tolist()


METHODS: dict[str, Callable[[DrawnPage], Lines]] = {
    "PaddleX's order": paddlex,
    "rows": plain_rows,
    "boxes alone": boxes_alone,
    "reading order": with_texts,
}


def drawn_table(count: int) -> list[str]:
    """Return a Markdown table: the score of the text by method and layout, the worst page, Kendall's tau."""
    lines = [f"| layout | {' | '.join(METHODS)} | worst page | tau |", "|---" * (len(METHODS) + 3) + "|"]
    scores: list[list[float]] = []
    for layout in LAYOUTS:
        pages = [
            drawn_page(layout, HELD_OUT + seed, TILTS_DEGREES[seed % len(TILTS_DEGREES)])
            for seed in range(count)
        ]
        texts = {name: [_score(page, method(page)) for page in pages] for name, method in METHODS.items()}
        taus = [kendall_tau(with_texts(page)[0], page.order) for page in pages]
        means = [float(np.mean(values)) for values in texts.values()]
        scores.append([*means, min(texts["reading order"]), float(np.mean(taus))])
        lines.append(_table_row(layout.replace("_", " "), scores[-1]))
    lines.append(_table_row(f"**{count * len(LAYOUTS)} pages**", np.mean(scores, axis=0).tolist()))
    return lines


def _score(page: DrawnPage, lines: Lines) -> float:
    return text_score(row_text(page.texts, *lines), page.text)


def _table_row(name: str, values: Sequence[float]) -> str:
    return f"| {name} | {' | '.join(f'{value:.3f}' for value in values)} |"


def receipts_table(folder: Path) -> list[str]:
    """Return a Markdown table: agreement with the order of the annotation by method."""
    before, after = [], []
    for csv in sorted(folder.glob("*.csv")):
        quads, texts = receipt_lines(csv)
        page = DrawnPage(
            "receipt", 0, _page_size(quads), quads, texts, list(range(len(texts))), [0] * len(texts)
        )
        before.append(text_score(row_text(texts, plain_rows(page)[0], page.rows), page.text))
        after.append(text_score(row_text(texts, with_texts(page)[0], page.rows), page.text))
    worse = sum(new < old for old, new in zip(before, after, strict=True))
    return [
        "| receipts | rows | reading order | receipts that got worse |",
        "|---|---|---|---|",
        f"| {len(before)} | {np.mean(before):.3f} | {np.mean(after):.3f} | {worse} |",
    ]


def _page_size(quads: NDArray[np.float64]) -> tuple[int, int]:
    width, height = quads.reshape(-1, 2).max(axis=0) * 1.05
    return int(height), int(width)


def speed(counts: Sequence[int] = (60, 2_000, 20_000)) -> list[str]:
    """Return the CPU time of a page of two columns with a number of lines."""
    lines = []
    for count in counts:
        row, column = np.divmod(np.arange(count), 2)
        left, top = column * 1000.0, row * 30.0 + 11 * column
        boxes = np.stack([left, top, left + 900, top + 22], axis=1)
        quads, texts = boxes[:, [[0, 1], [2, 1], [2, 3], [0, 3]]], ["a line of running text"] * count
        start = time.process_time()
        page_layout(quads, (int(top.max()) + 100, 2000), texts)
        lines.append(f"{count} lines: {1000 * (time.process_time() - start):.1f} ms")
    return lines


def draw_pictures(folder: Path) -> None:
    """Draw a page of two columns in the order of rows, and in reading order."""
    page = drawn_page("two_columns_with_footnotes", 3, 2.0)
    picture = rendered(page)
    for name, method in (("before", plain_rows), ("after", with_texts)):
        drawn = numbered(picture, page, method(page)[0])
        drawn.convert("P", palette=1, colors=32).save(folder / f"two-columns-{name}.png", optimize=True)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="bench.order", description=__doc__)
    parser.add_argument("--pages", type=int, default=20, help="pages of each layout (default: 20)")
    parser.add_argument("--pictures", action="store_true", help=f"draw the pictures in {IMAGES.name}/")
    arguments: Any = parser.parse_args()
    receipts = receipts_table(RECEIPTS) if RECEIPTS.is_dir() else ["The corpus is not there."]
    parts = [drawn_table(arguments.pages), receipts, speed()]
    sys.stdout.write("\n\n".join("\n".join(part) for part in parts) + "\n")
    if arguments.pictures:
        draw_pictures(IMAGES)


if __name__ == "__main__":
    main()
