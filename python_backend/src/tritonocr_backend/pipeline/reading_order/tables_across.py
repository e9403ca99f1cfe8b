"""Tables that run across columns of text: they divide the columns above from the columns below."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tritonocr_backend.pipeline.reading_order.columns import Indices, Segments

_LEAST_ROWS = 3
_MOST_PROSE = 1 / 3
_ON_BASE_LINE = 0.5  # in heights


def cut_at_tables(
    segments: Segments, bands: Sequence[Indices], gutters: Sequence[tuple[float, float]]
) -> list[Indices]:
    """Cut bands of several columns above and below each table that runs across the columns.

    Args:
        segments: all segments of the page.
        bands: consecutive bands of the columns, from top to bottom.
        gutters: left and right end of each gutter that all bands share.

    Returns:
        The parts from top to bottom; one part if no table is found.
    """
    centers = [(left + right) / 2 for left, right in gutters]
    is_row = [_is_table_row(segments, band, centers) for band in bands]
    may_be_row = [row or _has_no_text(segments, band) for row, band in zip(is_row, bands, strict=True)]
    parts: list[Indices] = []
    start = 0
    for first, end in _runs(may_be_row):
        rows = [number for number in range(first, end) if is_row[number]]
        if len(rows) < _LEAST_ROWS or 2 * len(rows) <= end - first:
            continue
        first, end = rows[0], rows[-1] + 1
        parts += [np.concatenate(bands[a:b]) for a, b in ((start, first), (first, end)) if a < b]
        start = end
    return [*parts, np.concatenate(bands[start:])] if start < len(bands) else parts


def _is_table_row(segments: Segments, band: Indices, gutters: Sequence[float]) -> bool:
    """Return whether a band is one row of more cells than columns, and no column holds only running text."""
    if len(band) <= len(gutters) + 1 or not _has_no_text(segments, band):
        return False
    boxes = segments.boxes[band]
    columns = np.searchsorted(gutters, (boxes[:, 0] + boxes[:, 2]) / 2)
    is_prose = segments.traits.is_prose[band]
    if any(is_prose[columns == column].all() for column in np.unique(columns).tolist()):
        return False
    return bool(np.ptp(segments.centers[band]) < _ON_BASE_LINE * segments.heights[band].min())


def _has_no_text(segments: Segments, band: Indices) -> bool:
    return bool(segments.traits.is_prose[band].mean() <= _MOST_PROSE)


def _runs(flags: Sequence[bool]) -> list[tuple[int, int]]:
    """Return first and end index of each run of True."""
    steps = np.flatnonzero(np.diff(np.array([False, *flags, False], dtype=np.int8)))
    return [(int(first), int(end)) for first, end in steps.reshape(-1, 2)]
