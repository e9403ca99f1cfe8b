"""Divide the lines of a page into regions of one column each, in reading order (recursive XY-cut).

Nagy and Seth's XY-cut (1984) on boxes (Ha, Haralick and Phillips, 1995), with four changes:

- Horizontal cuts follow the white space: consecutive bands stay together while a common gutter runs through
  them (as Breuel's column gutters, 2002, and Meunier's optimised XY-cut, 2005), so that an ordinary gap
  between lines never cuts columns apart.
- A gutter is cut only if both sides are columns of running text (see columns.py); tables stay rows.
- A table across columns divides them, although one of its gutters lies in theirs (tables_across.py).
- Where lines interlock, those across a gutter are put aside first, and cut the rest horizontally (as the
  mask of XY-Cut++, Liu et al., 2025).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from math import inf

import numpy as np

from tritonocr_backend.pipeline.reading_order.columns import (
    Indices,
    Segments,
    are_columns,
    are_parallel_lists,
)
from tritonocr_backend.pipeline.reading_order.tables_across import cut_at_tables

Interval = tuple[float, float]

_CORE = (
    0.25  # half of the part of a height that counts in horizontal cuts: grown boxes of dense lines overlap
)
_GUTTER_WIDTH = 0.8  # in heights
_HEADING_RATIO = 1.15
_GAP_OF_LINES = 0.6  # in heights
_GAP_OF_SECTIONS = 1.8  # times the median gap between bands
_MASKED_SHARE = 0.25
_LEAST_INTERLOCKED = 5
_MAX_DEPTH = 30


def regions(segments: Segments, members: Indices, depth: int = 0) -> list[Indices]:
    """Return regions of one column (or of rows that belong together) in reading order.

    Args:
        segments: all segments of the page.
        members: which of them to order.
        depth: how many cuts were made around them.

    Returns:
        Indices of segments; each of `members` exactly once.
    """
    if len(members) < 2 or depth > _MAX_DEPTH:
        return [members] if len(members) else []
    found: list[Indices] = []
    is_open = False  # whether the last region continues
    for group, gutters in _groups(segments, members):
        parts = _parts(segments, group, gutters)
        if len(parts) < 2:
            found[-1:] = [np.concatenate([*found[-1:], group])] if is_open else [*found[-1:], group]
            is_open = True
            continue
        found += [region for part in parts for region in regions(segments, part, depth + 1)]
        is_open = False
    return found


def _parts(segments: Segments, group: Indices, gutters: list[Interval]) -> list[Indices]:
    """Divide a group into columns, or into the parts above and below a section; or not at all."""
    columns = _columns(segments, group, gutters)
    if len(columns) > 1:
        parts = cut_at_tables(segments, horizontal_bands(segments, group), gutters)
        return columns if len(parts) < 2 else parts
    sections = _sections(segments, group) if gutters else [group]
    if len(sections) > 1 and any(
        len(_columns(segments, part, gutters)) > 1 for part, gutters in _groups_of(segments, sections)
    ):
        return sections
    return _unmasked(segments, group)


def _groups_of(segments: Segments, parts: list[Indices]) -> Iterator[tuple[Indices, list[Interval]]]:
    for part in parts:
        yield from _groups(segments, part)


def _columns(segments: Segments, group: Indices, gutters: list[Interval]) -> list[Indices]:
    """Return the columns of a group: its cells, joined across the gutters of tables."""
    if not gutters:
        return [group]
    centers = (segments.boxes[group, 0] + segments.boxes[group, 2]) / 2
    cell_numbers = np.searchsorted([(left + right) / 2 for left, right in gutters], centers)
    cells = [group[cell_numbers == number] for number in range(len(gutters) + 1)]
    columns = [cells[0]]
    for left, right in pairwise(cells):
        if are_columns(segments, left, right):
            columns.append(right)
        else:
            columns[-1] = np.concatenate([columns[-1], right])
    half = len(cells) // 2
    if len(columns) == 1 and len(cells) % 2 == 0 and are_parallel_lists(segments, cells[:half], cells[half:]):
        return [np.concatenate(cells[:half]), np.concatenate(cells[half:])]
    return columns


@dataclass(frozen=True)
class _Group:
    """Consecutive bands, from `first` to before `end`; their extent, and the white space that they share.

    `is_heading` says that the group is one line of large text.
    """

    first: int
    end: int
    white: list[Interval]
    extent: Interval
    is_heading: bool = False

    @property
    def gutters(self) -> list[Interval]:
        """White space with text on both sides."""
        return [
            (left, right) for left, right in self.white if left > self.extent[0] and right < self.extent[1]
        ]

    def joined(self, below: _Group, least: float) -> _Group:
        """Join a group and the one below it."""
        extent = min(self.extent[0], below.extent[0]), max(self.extent[1], below.extent[1])
        return _Group(self.first, below.end, _intersection(self.white, below.white, least), extent)

    def is_continued(self, below: _Group, joined: _Group) -> bool:
        """Return whether a common gutter continues below, or neither group has a gutter.

        Text in a gutter ends it, and a heading across one of several.
        """
        if not joined.gutters:
            return not self.gutters and not below.gutters
        if (self.is_heading or below.is_heading) and len(joined.gutters) < max(
            len(self.gutters), len(below.gutters)
        ):
            return False
        centers = [(left + right) / 2 for left, right in joined.gutters]
        return all(sum(left < center < right for center in centers) < 2 for left, right in self.gutters)


def _groups(segments: Segments, members: Indices) -> Iterator[tuple[Indices, list[Interval]]]:
    """Consecutive bands with a common gutter, or without any; and the gutters of each group."""
    height = float(np.median(segments.heights[members]))
    least = _GUTTER_WIDTH * height
    bands = horizontal_bands(segments, members)
    singles = [_group_of(segments, number, band, height) for number, band in enumerate(bands)]
    groups = singles[:1]
    for below in singles[1:]:
        joined = groups[-1].joined(below, least)
        if groups[-1].is_continued(below, joined):
            groups[-1] = joined
        elif groups[-1].gutters:
            groups.append(below)
        else:
            groups[-1:] = _with_first_lines(segments, bands, singles, groups[-1], below, least)
    for group in groups:
        yield np.concatenate(bands[group.first : group.end]), group.gutters


def _with_first_lines(
    segments: Segments,
    bands: list[Indices],
    singles: list[_Group],
    above: _Group,
    below: _Group,
    least: float,
) -> tuple[_Group, _Group]:
    """Move those last lines of the group above that are the first lines of the columns below.

    Columns off each other's base lines start with lines that stand beside nothing.
    """
    end = above.end
    while end - 1 > above.first and len(bands[end - 1]) == 1:
        line, first = bands[end - 1], bands[end]
        gap = segments.boxes[first, 1].min() - segments.boxes[line, 3].max()
        joined = singles[end - 1].joined(below, least)
        if gap > _GAP_OF_LINES * segments.heights[first].max() or len(joined.gutters) < len(below.gutters):
            break
        end, below = end - 1, joined
    if end < above.end:
        above = reduce(lambda some, other: some.joined(other, least), singles[above.first : end])
    return above, below


def _group_of(segments: Segments, number: int, band: Indices, height: float) -> _Group:
    """Return the group of one band: its extent, and the white space beside and between its text."""
    least = _GUTTER_WIDTH * height
    spans = sorted(segments.spans[segment] for segment in band.tolist())
    white: list[Interval] = []
    reached = -inf
    for left, right in spans:
        if left - reached >= least:
            white.append((reached, left))
        reached = max(reached, right)
    is_heading = len(band) == 1 and bool(segments.heights[band[0]] > _HEADING_RATIO * height)
    return _Group(number, number + 1, [*white, (reached, inf)], (spans[0][0], reached), is_heading)


def horizontal_bands(segments: Segments, members: Indices) -> list[Indices]:
    """Cut segments at every horizontal line that crosses no core of a segment; from top to bottom."""
    reach = _CORE * segments.heights[members]
    tops, bottoms = segments.centers[members] - reach, segments.centers[members] + reach
    order = np.argsort(tops, kind="stable")
    ends = np.maximum.accumulate(bottoms[order])
    starts = np.flatnonzero(tops[order][1:] > ends[:-1]) + 1
    return np.split(members[order], starts)


def _intersection(some: list[Interval], others: list[Interval], least: float) -> list[Interval]:
    """Return the common parts of two sorted lists of intervals that are wide enough."""
    common: list[Interval] = []
    i = j = 0
    while i < len(some) and j < len(others):
        left, right = max(some[i][0], others[j][0]), min(some[i][1], others[j][1])
        if right - left >= least:
            common.append((left, right))
        if some[i][1] <= others[j][1]:
            i += 1
        else:
            j += 1
    return common


def _sections(segments: Segments, group: Indices) -> list[Indices]:
    """Cut a group where bands are clearly further apart than elsewhere."""
    bands = horizontal_bands(segments, group)
    if len(bands) < 3:
        return [group]
    tops = np.array([segments.boxes[band, 1].min() for band in bands])
    bottoms = np.array([segments.boxes[band, 3].max() for band in bands])
    height = float(np.median(segments.heights[group]))
    gaps = tops[1:] - np.maximum.accumulate(bottoms)[:-1] + height
    cuts = np.flatnonzero(gaps > max(_GAP_OF_SECTIONS * float(np.median(gaps)), height)) + 1
    return [np.concatenate(bands[start:end]) for start, end in pairwise([0, *cuts.tolist(), len(bands)])]


def _unmasked(segments: Segments, group: Indices) -> list[Indices]:
    """Where lines interlock: put aside the few that cross a gutter, and cut the rest at them."""
    if len(group) < _LEAST_INTERLOCKED or len(horizontal_bands(segments, group)) > 1:
        return [group]
    masked = _crossing(segments, group)
    if not len(masked):
        return [group]
    masked = masked[np.argsort(segments.centers[masked], kind="stable")]
    rest = np.setdiff1d(group, masked)
    slots = np.searchsorted(segments.centers[masked], segments.centers[rest])
    parts = [rest[slots == 0]]
    for slot, line in enumerate(masked, 1):
        parts += [np.array([line]), rest[slots == slot]]
    return [part for part in parts if len(part)]


def _crossing(segments: Segments, group: Indices) -> Indices:
    """Segments across the vertical line that the fewest cross, if few do and both sides are columns."""
    boxes = segments.boxes[group]
    candidates = np.sort(boxes[:, 2])[:-1]
    lefts, rights = np.sort(boxes[:, 0]), np.sort(boxes[:, 2])
    crossed = np.searchsorted(lefts, candidates, "right") - np.searchsorted(rights, candidates, "right")
    least = _MASKED_SHARE * len(group)
    for x in candidates[np.argsort(crossed, kind="stable")][:_LEAST_INTERLOCKED]:
        crossing = (boxes[:, 0] < x) & (boxes[:, 2] > x)
        left, right = group[boxes[:, 2] <= x], group[boxes[:, 0] >= x]
        if 0 < crossing.sum() <= least and are_columns(segments, left, right):
            across: Indices = group[crossing]
            return across
    return np.empty(0, np.intp)
