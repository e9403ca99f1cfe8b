"""Reading order: from recognised lines to blocks, rows and the order in which a person reads them.

PaddleX's order (core/geometry.py) stays the order of all outputs. This package says beside it how the lines
of a page are read: by recursive XY-cut in the page's own direction (see regions.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonocr_backend.core.arrays import Ints
from tritonocr_backend.pipeline.reading_order.blocks import (
    Block,
    BlockKind,
    blocks_of,
    body_height,
    ordered_blocks,
)
from tritonocr_backend.pipeline.reading_order.columns import Segments, is_perpendicular
from tritonocr_backend.pipeline.reading_order.frame import ReadingFrame, reading_frame, text_direction
from tritonocr_backend.pipeline.reading_order.margins import (
    footnotes,
    split_margins,
    split_vertical_margins,
)
from tritonocr_backend.pipeline.reading_order.regions import horizontal_bands, regions
from tritonocr_backend.pipeline.reading_order.rows import chain_rows, joint_boxes
from tritonocr_backend.pipeline.reading_order.text_traits import text_traits

__all__ = ["BlockKind", "PageLayout", "page_layout"]

_SEGMENT_GAP = 0.6  # in heights: pieces of one line are at most this far apart


@dataclass(frozen=True)
class PageLayout:
    """The layout of a page, with one entry for each line.

    Attributes:
        reading_order: int32 [n], the rank of each line in reading order, from 0: a permutation. row_index:
        int32 [n], the row of each line, counted in reading order from 0. Lines of one row stand side by
        side and form one row of text.
        block_index: int32 [n], the block of each line, counted in reading order from 0.
        block_kinds: the kind of each block.
    """

    reading_order: Ints
    row_index: Ints
    block_index: Ints
    block_kinds: tuple[BlockKind, ...]

    @classmethod
    def empty(cls) -> PageLayout:
        """Return the layout of a page without lines."""
        none = np.empty(0, np.int32)
        return cls(none, none, none, ())


def page_layout(
    quads: NDArray[np.integer[Any] | np.floating[Any]],
    page_size: tuple[int, int],
    texts: Sequence[str] | None = None,
    upside_down: NDArray[np.bool_] | None = None,
) -> PageLayout:
    """Find the blocks of a page and the order of its lines.

    Args:
        quads: [n, 4, 2] corners (x, y) of the lines, in pixels, in the order top left, top right, bottom
            right, bottom left.
        page_size: height and width of the page in pixels.
        texts: the lines' texts in logical order. They show the direction of the script, numbers, labels and
            page numbers. Without them the layout follows from geometry alone.
        upside_down: bool [n], True for each line whose text is turned by 180 degrees.

    Returns:
        The layout. Equal input gives equal output, and O(n log n) steps.
    """
    if not len(quads):
        return PageLayout.empty()
    frame = reading_frame(quads, page_size, texts, upside_down)
    pieces = chain_rows(frame.boxes, _SEGMENT_GAP)
    boxes = joint_boxes(frame.boxes, pieces)
    in_direction = partial(_directed, is_right_to_left=frame.is_right_to_left)
    directed = [in_direction(piece, texts) for piece in pieces]
    joined = None if texts is None else [" ".join(texts[line] for line in piece) for piece in directed]
    segments = Segments(boxes, text_traits(joined, boxes))
    blocks = _ordered(segments, frame, joined)
    ordered_rows = [
        [line for segment in in_direction(row, joined) for line in directed[segment]]
        for block in blocks
        for row in block.rows
    ]
    row_counts = [len(block.rows) for block in blocks]
    return _layout(len(quads), ordered_rows, row_counts, tuple(block.kind for block in blocks))


def _ordered(segments: Segments, frame: ReadingFrame, texts: Sequence[str] | None) -> list[Block]:
    """All blocks of a page in reading order: header, body, footnotes, footer."""
    page_y = frame.page_top, frame.page_bottom
    above, members, below = _vertical_margins(segments, frame, texts)
    bands = horizontal_bands(segments, members)
    header, bands, footer = split_margins(segments, bands, page_y, texts)
    body = body_height(segments)
    found = [
        blocks_of(segments, _rows(segments, frame, region), body)
        for region in regions(segments, np.concatenate(bands))
    ]
    body_blocks = ordered_blocks(found, footnotes(segments, found, page_y, texts))
    return [*above, *header, *body_blocks, *footer, *below]


def _vertical_margins(
    segments: Segments, frame: ReadingFrame, texts: Sequence[str] | None
) -> tuple[list[Block], NDArray[np.intp], list[Block]]:
    """Take the lines above and below the text off a page of vertical text."""
    if not frame.is_vertical:
        return [], np.arange(len(segments.boxes)), []
    return split_vertical_margins(segments, (frame.page_left, frame.page_right), texts)


def _rows(segments: Segments, frame: ReadingFrame, region: NDArray[np.intp]) -> list[list[int]]:
    """Return the rows of a region, from top to bottom.

    Text across the page's direction has a row for each line: lines of a vertical page's title from top to
    bottom, vertical lines on a horizontal page from right to left.
    """
    members = np.sort(region)
    if not is_perpendicular(segments, members):
        return [members[row].tolist() for row in chain_rows(segments.boxes[members])]
    lefts = segments.boxes[members, 0]
    order = np.argsort(lefts if frame.is_vertical or frame.is_right_to_left else -lefts, kind="stable")
    return [[segment] for segment in members[order].tolist()]


def _directed(members: Sequence[int], texts: Sequence[str] | None, *, is_right_to_left: bool) -> list[int]:
    """Return members of a row, given in the page's direction, in the direction of most of their texts."""
    direction = 0 if texts is None else sum(text_direction(texts[member]) for member in members)
    against = direction * (-1 if is_right_to_left else 1)
    return list(members if against >= 0 else reversed(members))


def _layout(
    count: int, rows: Sequence[Sequence[int]], row_counts: Sequence[int], kinds: tuple[BlockKind, ...]
) -> PageLayout:
    order = np.concatenate([np.array(row, dtype=np.intp) for row in rows])
    row_of = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
    block_of = np.repeat(np.arange(len(row_counts)), row_counts)[row_of]
    columns = np.empty((3, count), dtype=np.int32)
    columns[:, order] = np.arange(count), row_of, block_of
    return PageLayout(columns[0], columns[1], columns[2], kinds)
