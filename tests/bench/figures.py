"""The arithmetic of the benchmark: spread, percentiles, ratios between subjects, linear fits."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Spread:
    """A figure measured several times: its median, smallest and largest value."""

    median: float
    low: float
    high: float


def spread(values: Sequence[float]) -> Spread:
    """The spread of at least one value."""
    return Spread(statistics.median(values), min(values), max(values))


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest measured value that at least `percent` % of the values do not exceed (nearest rank)."""
    return float(np.percentile(values, percent, method="inverted_cdf"))


@dataclass(frozen=True)
class Line:
    """A least-squares line y = intercept + slope * x.

    Attributes:
        intercept: y at x = 0.
        slope: y a unit of x.
        r_squared: share of y's variance that the line explains.
        residuals: (y - line) / line at each x.
    """

    intercept: float
    slope: float
    r_squared: float
    residuals: tuple[float, ...]

    def at(self, x: float) -> float:
        """The line's y."""
        return self.intercept + self.slope * x


def fit_line(xs: Sequence[float], ys: Sequence[float]) -> Line:
    """The straight line through at least two different points."""
    x, y = np.asarray(xs, dtype=float), np.asarray(ys, dtype=float)
    slope, intercept = np.polyfit(x, y, 1)
    fitted = intercept + slope * x
    total = float(((y - y.mean()) ** 2).sum())
    r_squared = 1 - float(((y - fitted) ** 2).sum()) / total if total else 1.0
    residuals = tuple(((y - fitted) / fitted).tolist())
    return Line(float(intercept), float(slope), r_squared, residuals)


def growth_beyond_line(xs: Sequence[float], ys: Sequence[float]) -> float:
    """Return the last y divided by the linear fit through all other points; above 1: y grows faster.

    Args:
        xs: at least three, ascending.
        ys: one each.
    """
    return ys[-1] / fit_line(xs[:-1], ys[:-1]).at(xs[-1])
