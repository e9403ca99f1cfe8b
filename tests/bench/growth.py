"""Measure how time and memory grow with the number of lines and the number of pixels of a page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import drawing
from bench.figures import fit_line, growth_beyond_line, spread
from bench.measured import Pass
from bench.triton import TritonSubject
from bench.workloads import Page, Workload

LINE_COUNTS = (60, 250, 500, 750, 1000)
MEGAPIXELS = (2.5, 10, 20, 30, 40)
LINES_OF_PIXELS = 200


@dataclass
class Growth:
    """One growing quantity, and the time and memory of a page.

    Attributes:
        unit: of `sizes`.
        sizes: ascending.
        seconds: by size, of every round.
        peak_mb: by size, the largest of all rounds.
    """

    unit: str
    sizes: list[float] = field(default_factory=list)
    seconds: list[list[float]] = field(default_factory=list)
    peak_mb: list[float] = field(default_factory=list)

    def figures(self) -> dict[str, Any]:
        """Medians, the straight lines through them, and how far the largest page lies above its line."""
        medians = [spread(values).median for values in self.seconds]
        return {
            "unit": self.unit,
            "sizes": self.sizes,
            "seconds": medians,
            "peak_mb": self.peak_mb,
            "time": _straightness(self.sizes, medians),
            "memory": _straightness(self.sizes, self.peak_mb),
        }


def _straightness(sizes: Sequence[float], values: Sequence[float]) -> dict[str, Any]:
    line = fit_line(sizes, values)
    return {
        "intercept": line.intercept,
        "slope": line.slope,
        "r_squared": line.r_squared,
        "residuals": list(line.residuals),
        "beyond_line": growth_beyond_line(sizes, values),
    }


def against_lines(triton: TritonSubject, scratch: Path, rounds: int) -> Growth:
    """Pages of one size with more and more lines, detected at full resolution."""
    drawn = [drawing.write_dense_page(scratch / f"lines_{count}.jpg", count) for count in LINE_COUNTS]
    growth = Growth("lines found")
    _measure(growth, drawn, drawing.DENSE_SIDE_PX, triton, rounds, lambda page, one: _line_count(one))
    return growth


def against_pixels(triton: TritonSubject, scratch: Path, rounds: int) -> Growth:
    """The same page with more and more pixels, detected at the default resolution."""
    drawn = [
        drawing.write_dense_page(
            scratch / f"pixels_{megapixels}.jpg", LINES_OF_PIXELS, (megapixels * 1e6 / drawing.PIXELS) ** 0.5
        )
        for megapixels in MEGAPIXELS
    ]
    growth = Growth("megapixels")
    sizes = dict(zip((page.path for page in drawn), MEGAPIXELS, strict=True))
    _measure(growth, drawn, 960, triton, rounds, lambda page, one: sizes[page.path])
    return growth


def _measure(
    growth: Growth,
    drawn: Sequence[drawing.DrawnPage],
    limit_side_len: int,
    triton: TritonSubject,
    rounds: int,
    size_of: Callable[[Page, Pass], float],
) -> None:
    for one in drawn:
        page = Page(one.path.stem, one.path, one.truth)
        workload = Workload(page.name, [page], limit_side_len=limit_side_len)
        triton.read(workload, [page], clients=1)  # to warm up
        passes = [triton.read(workload, [page], clients=1) for _ in range(rounds)]
        growth.sizes.append(size_of(page, passes[0]))
        growth.seconds.append([one.wall_s for one in passes])
        growth.peak_mb.append(max(one.peak_mb for one in passes))


def _line_count(one: Pass) -> float:
    return float(sum(map(len, one.lines.values())))
