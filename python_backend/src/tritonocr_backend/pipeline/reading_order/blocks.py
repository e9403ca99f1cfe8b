"""Group the rows of a region, and the lines in the margins, into blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tritonocr_backend.pipeline.reading_order.columns import Segments
from tritonocr_backend.pipeline.reading_order.rows import joint_boxes


class BlockKind(str, Enum):
    """What a block is."""

    HEADER = "header"
    HEADING = "heading"
    PARAGRAPH = "paragraph"
    TABLE = "table"
    FOOTNOTE = "footnote"
    FOOTER = "footer"
    PAGE_NUMBER = "page_number"


Row = list[int]
"""Segments side by side, in reading order."""

_HEADING_RATIO = 1.2  # of the height of body text
_MOST_HEADING_ROWS = 4
_SIZE_CHANGE = 1.2
_WIDE_PITCH = 1.3  # times the median distance of the rows' centres
_WIDE_GAP = 0.9  # in heights
_INDENT = (0.7, 4.0)  # in heights


@dataclass(frozen=True)
class Block:
    """Rows of one kind that belong together."""

    kind: BlockKind
    rows: list[Row]


def body_height(segments: Segments) -> float:
    """Return the height of body text in pixels: the median, weighted by the segments' lengths."""
    lengths = segments.boxes[:, 2] - segments.boxes[:, 0]
    order = np.argsort(segments.heights, kind="stable")
    middle = np.searchsorted(np.cumsum(lengths[order]), lengths.sum() / 2)
    return float(segments.heights[order[min(int(middle), len(order) - 1)]])


def blocks_of(segments: Segments, rows: Sequence[Row], body: float) -> list[Block]:
    """Part the rows of a region into tables, headings and paragraphs.

    Args:
        segments: all segments of the page.
        rows: the region's rows from top to bottom.
        body: height of body text in pixels.
    """
    boxes = _RowBoxes.of(segments, rows)
    blocks: list[Block] = []
    for start, end, is_table in _runs(rows, boxes):
        if is_table:
            blocks.append(Block(BlockKind.TABLE, list(rows[start:end])))
            continue
        for first, last in _paragraphs(boxes, start, end):
            kind = _kind(boxes, first, last, body)
            blocks.append(Block(kind, list(rows[first:last])))
    return blocks


@dataclass(frozen=True)
class _RowBoxes:
    """float64 [rows]: where rows start and end, their vertical centres and mean heights, in pixels."""

    lefts: NDArray[np.float64]
    rights: NDArray[np.float64]
    centers: NDArray[np.float64]
    heights: NDArray[np.float64]

    @classmethod
    def of(cls, segments: Segments, rows: Sequence[Row]) -> _RowBoxes:
        lefts, tops, rights, bottoms = joint_boxes(segments.boxes, rows).T
        return cls(lefts, rights, (tops + bottoms) / 2, np.maximum(bottoms - tops, 1e-9))

    @cached_property
    def gaps(self) -> list[float]:
        """Gap between each row and the next, in heights of the lower one."""
        lower = np.minimum(self.heights[:-1], self.heights[1:])
        means = (self.heights[:-1] + self.heights[1:]) / 2
        gaps: list[float] = ((np.diff(self.centers) - means) / lower).tolist()
        return gaps


def _runs(rows: Sequence[Row], boxes: _RowBoxes) -> Iterator[tuple[int, int, bool]]:
    """Split rows into runs that form a table and runs that form no table.

    A table has at least two rows of several segments. A row of one segment belongs to it if it stands
    between two such rows without a gap, as the second line of a cell does.
    """
    is_cells = [len(row) > 1 for row in rows]
    for index in range(1, len(rows) - 1):
        between = is_cells[index - 1] and len(rows[index + 1]) > 1
        if between and max(boxes.gaps[index - 1], boxes.gaps[index]) < _WIDE_GAP:
            is_cells[index] = True
    start = 0
    for end in range(1, len(rows) + 1):
        if end < len(rows) and is_cells[end] == is_cells[start]:
            continue
        several = sum(len(row) > 1 for row in rows[start:end])
        yield start, end, several >= 2
        start = end


def _paragraphs(boxes: _RowBoxes, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Cut rows where the size changes, where the page leaves space, and before an indented first line."""
    pitches = np.diff(boxes.centers[start:end]) / np.maximum(boxes.heights[start : end - 1], 1e-9)
    usual = float(np.median(pitches)) if len(pitches) > 1 else np.inf
    first = start
    for row in range(start, end - 1):
        sizes = sorted((boxes.heights[row], boxes.heights[row + 1]))
        pitch = pitches[row - start]
        if (
            sizes[1] > _SIZE_CHANGE * sizes[0]
            or (pitch > _WIDE_PITCH * usual and boxes.gaps[row] > 0)
            or (len(pitches) < 2 and boxes.gaps[row] > _WIDE_GAP)
            or _is_indented(boxes, row + 1, start, end)
        ):
            yield first, row + 1
            first = row + 1
    yield first, end


def _is_indented(boxes: _RowBoxes, row: int, start: int, end: int) -> bool:
    """Whether a row starts further in than the rows around it, which start on a common edge."""
    if not start < row < end - 1:
        return False
    height = boxes.heights[row]
    before, own, after = boxes.lefts[row - 1 : row + 2]
    low, high = _INDENT
    return bool(abs(before - after) < low * height / 2 and low * height < own - after < high * height)


def _kind(boxes: _RowBoxes, first: int, last: int, body: float) -> BlockKind:
    is_large = float(boxes.heights[first:last].mean()) >= _HEADING_RATIO * body
    return BlockKind.HEADING if is_large and last - first <= _MOST_HEADING_ROWS else BlockKind.PARAGRAPH


def ordered_blocks(regions: Sequence[Sequence[Block]], footnotes: Sequence[Block]) -> list[Block]:
    """Return the blocks of regions in order, and after all of them those that are footnotes."""
    moved = {id(block) for block in footnotes}
    body = [block for blocks in regions for block in blocks if id(block) not in moved]
    return body + [Block(BlockKind.FOOTNOTE, block.rows) for block in footnotes]
