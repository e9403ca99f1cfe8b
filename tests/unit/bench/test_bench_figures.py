"""The arithmetic of the benchmark, on numbers with known results."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.figures import Spread, fit_line, growth_beyond_line, percentile, spread


def test_a_spread_is_the_median_between_the_extremes() -> None:
    assert spread([3.0, 1.0, 2.0, 10.0]) == Spread(2.5, 1.0, 10.0)


@pytest.mark.parametrize(
    ("percent", "expected", "reason"),
    [
        (50, 10, "half of twenty values are at most the tenth"),
        (95, 19, "nearest rank: a value that was measured, not one between two"),
        (99, 20, "with twenty values the 99th percentile is the largest"),
        (100, 20, "all of them"),
    ],
)
def test_percentiles_are_measured_values(percent: float, expected: float, reason: str) -> None:
    assert percentile(list(range(1, 21)), percent) == expected, reason


@given(st.lists(st.floats(0.001, 1000), min_size=1), st.floats(0, 100))
def test_a_percentile_is_one_of_the_values(values: list[float], percent: float) -> None:
    assert percentile(values, percent) in values


@given(st.floats(-100, 100), st.floats(0.1, 100))
def test_a_straight_line_is_found(intercept: float, slope: float) -> None:
    xs = [1.0, 2.0, 5.0, 9.0]
    line = fit_line(xs, [intercept + slope * x for x in xs])
    assert line.intercept == pytest.approx(intercept, abs=1e-6)
    assert line.slope == pytest.approx(slope, abs=1e-6)
    assert line.r_squared == pytest.approx(1)


def test_residuals_are_shares_of_the_line() -> None:
    line = fit_line([0.0, 1.0, 2.0], [10.0, 13.0, 10.0])
    assert line.at(1) == pytest.approx(11)
    assert line.residuals == pytest.approx((-1 / 11, 2 / 11, -1 / 11))
    assert line.r_squared == pytest.approx(0)


def test_a_level_line_explains_all_there_is() -> None:
    assert fit_line([1.0, 2.0], [5.0, 5.0]).r_squared == 1


@pytest.mark.parametrize(
    ("power", "low", "high", "reason"),
    [
        (1.0, 0.999, 1.001, "time that grows with the work ends on the line"),
        (2.0, 1.3, 2.0, "time that grows with its square ends far above"),
        (0.5, 0.7, 0.95, "time that grows more slowly ends below"),
    ],
)
def test_growth_is_told_by_the_last_point(power: float, low: float, high: float, reason: str) -> None:
    xs = [60.0, 250.0, 500.0, 750.0, 1000.0]
    assert low < growth_beyond_line(xs, [x**power for x in xs]) < high, reason
