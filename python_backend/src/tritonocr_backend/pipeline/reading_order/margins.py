"""Find the running headers, footers, page numbers and footnotes of a page."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tritonocr_backend.pipeline.reading_order.blocks import Block, BlockKind
from tritonocr_backend.pipeline.reading_order.columns import Indices, Segments
from tritonocr_backend.pipeline.reading_order.rows import joint_boxes
from tritonocr_backend.pipeline.reading_order.text_traits import is_page_number, starts_footnote, text_length

_MARGIN = 0.12  # of the page's height
_GAP = 0.9  # in heights
_GAP_OF_NUMBER = 0.4
_LARGEST = 1.15  # of the height of body text
_LEAST_BANDS = 5
_FOOTNOTE_SIZE = 0.9  # of the median width of characters
_FOOTNOTE_TOP = 0.5  # of the page's height


def split_margins(
    segments: Segments, bands: Sequence[Indices], page_y: tuple[float, float], texts: Sequence[str] | None
) -> tuple[list[Block], list[Indices], list[Block]]:
    """Separate the header and the footer from a page.

    A header or footer is a single row in the page's margin, further from the text than the text's lines are
    from each other, and no larger than body text.

    Args:
        segments: all segments of the page.
        bands: the page's segments, cut at every free horizontal line.
        page_y: smallest and largest y of the page, pixels.
        texts: the segments' texts.

    Returns:
        The header's blocks, the bands between, and the footer's blocks.
    """
    bands = list(bands)
    if len(bands) < _LEAST_BANDS:
        return [], bands, []
    gaps = _gaps(segments, bands)
    usual = float(np.median(gaps))
    boxes, depth = segments.boxes, _MARGIN * (page_y[1] - page_y[0])
    header: list[Block] = []
    footer: list[Block] = []
    if page_y[1] - boxes[bands[-1], 1].min() <= depth:
        footer = _margin_row(segments, bands[-1], gaps[-1], usual, texts, BlockKind.FOOTER)
    if boxes[bands[0], 3].max() - page_y[0] <= depth:
        header = _margin_row(segments, bands[0], gaps[0], usual, texts, BlockKind.HEADER)
    return header, bands[len(header) : len(bands) - len(footer)], footer


def _margin_row(
    segments: Segments,
    band: Indices,
    gap: float,
    usual: float,
    texts: Sequence[str] | None,
    kind: BlockKind,
) -> list[Block]:
    """Return the block of a band in a margin, if it is one row apart from the text.

    Args:
        segments: all segments of the page.
        band: the segments of the band.
        gap: distance to the next band, in heights of body text.
        usual: median distance between the page's bands, in the same unit.
        texts: the segments' texts.
        kind: kind of the block, unless the row is a page number.
    """
    is_number = texts is not None and len(band) == 1 and is_page_number(texts[int(band[0])])
    if (
        not _is_row(segments, band)
        or gap <= max(usual * 1.3, _GAP_OF_NUMBER if is_number else _GAP)
        or segments.heights[band].max() > _LARGEST * float(np.median(segments.heights))
    ):
        return []
    row = band[np.argsort(segments.boxes[band, 0], kind="stable")].tolist()
    return [Block(BlockKind.PAGE_NUMBER if is_number else kind, [row])]


def split_vertical_margins(
    segments: Segments, page_x: tuple[float, float], texts: Sequence[str] | None
) -> tuple[list[Block], Indices, list[Block]]:
    """Take header and footer off a page of vertical text, where they stand at the ends of the columns.

    Args:
        segments: all segments of the page, in a frame whose x runs down the page.
        page_x: smallest and largest x of the page, pixels.
        texts: the segments' texts.

    Returns:
        The header's blocks, the segments between, and the footer's blocks.
    """
    members = np.arange(len(segments.boxes))
    depth = _MARGIN * (page_x[1] - page_x[0])
    starts, ends = segments.boxes[:, 0], segments.boxes[:, 2]
    header = _margin_beyond(segments, ends <= page_x[0] + depth, -ends, -starts, texts)
    footer = _margin_beyond(segments, starts >= page_x[1] - depth, starts, ends, texts)
    taken = [segment for block in header + footer for row in block.rows for segment in row]
    return header, np.setdiff1d(members, taken), footer


def _margin_beyond(
    segments: Segments,
    is_in_margin: NDArray[np.bool_],
    starts: NDArray[np.float64],
    ends: NDArray[np.float64],
    texts: Sequence[str] | None,
) -> list[Block]:
    """Return the block in a margin, if it is one small piece of text apart from all other text.

    Args:
        segments: all segments of the page.
        is_in_margin: bool [n].
        starts: float64 [n] of the sides that face the text, growing towards the page's edge.
        ends: float64 [n] of the sides that face the page's edge.
        texts: the segments' texts.
    """
    (inside,) = np.nonzero(is_in_margin)
    if len(inside) != 1 or is_in_margin.all():
        return []
    segment = int(inside[0])
    size = float(np.median(segments.heights))
    sides = segments.boxes[segment, 2:] - segments.boxes[segment, :2]
    is_number = texts is not None and is_page_number(texts[segment])
    gap = float(starts[segment] - ends[~is_in_margin].max())
    if sides.min() > _LARGEST * size or gap <= size * (_GAP_OF_NUMBER if is_number else _GAP):
        return []
    kind = BlockKind.PAGE_NUMBER if is_number else BlockKind.FOOTER if ends[segment] > 0 else BlockKind.HEADER
    return [Block(kind, [[segment]])]


def _gaps(segments: Segments, bands: Sequence[Indices]) -> NDArray[np.float64]:
    """Gaps between consecutive bands, in heights of body text."""
    _, tops, _, bottoms = joint_boxes(segments.boxes, bands).T
    gaps: NDArray[np.float64] = (tops[1:] - bottoms[:-1]) / float(np.median(segments.heights))
    return gaps


def _is_row(segments: Segments, band: Indices) -> bool:
    return bool(np.ptp(segments.centers[band]) < 0.5 * segments.heights[band].min())


def footnotes(
    segments: Segments,
    regions: Sequence[Sequence[Block]],
    page_y: tuple[float, float],
    texts: Sequence[str] | None,
) -> list[Block]:
    """Return the footnotes: small paragraphs at the lower end of regions, from the first that has a mark.

    The width of a character tells small text from body text. The heights of detected boxes do not: small text
    gets boxes that are up to a quarter higher than its size.

    Args:
        segments: all segments of the page.
        regions: the blocks of each region, in reading order.
        page_y: smallest and largest y of the page, pixels.
        texts: the segments' texts; without them there are no footnotes.
    """
    if texts is None:
        return []
    lengths = segments.boxes[:, 2] - segments.boxes[:, 0]
    widths = lengths / np.array([max(text_length(text), 1) for text in texts])
    largest = _FOOTNOTE_SIZE * float(np.median(widths))
    lowest = page_y[0] + _FOOTNOTE_TOP * (page_y[1] - page_y[0])
    found: list[Block] = []
    for blocks in regions:
        tail = len(blocks)
        while tail and _is_small_print(segments, blocks[tail - 1], widths, largest, lowest):
            tail -= 1
        marked = (
            number for number in range(tail, len(blocks)) if starts_footnote(texts[blocks[number].rows[0][0]])
        )
        found += blocks[next(marked, len(blocks)) :]
    return found


def _is_small_print(
    segments: Segments, block: Block, widths: NDArray[np.float64], largest: float, lowest: float
) -> bool:
    members = [segment for row in block.rows for segment in row]
    return bool(
        block.kind is BlockKind.PARAGRAPH
        and np.median(widths[members]) <= largest
        and segments.boxes[members, 1].min() >= lowest
    )
