"""Which lines are classified, and which turned readings are kept."""

import asyncio

import numpy as np
import pytest
from numpy.typing import NDArray

from tritonocr_backend.core.arrays import Ints
from tritonocr_backend.pipeline.line_orientation import Columns, Orientation


def line(score: float, characters: int) -> Columns:
    return np.arange(1, characters + 1, dtype=np.int32), np.full(characters, score, np.float32)


class Lines:
    """Lines with scripted scores as they are and turned; the classifier takes some for upside down."""

    def __init__(
        self, upright: list[float], turned: list[float], looks_upside_down: list[int], characters: int = 2
    ) -> None:
        self.columns = [line(score, characters) for score in upright]
        self._turned, self._looks, self._characters = turned, looks_upside_down, characters
        self.classified: list[int] = []

    async def _classify(self, numbers: Ints) -> NDArray[np.bool_]:
        self.classified += numbers.tolist()
        return np.isin(numbers, self._looks)

    async def _recognise_turned(self, numbers: Ints) -> list[Columns]:
        return [line(self._turned[number], self._characters) for number in numbers]

    def settled(self) -> list[int]:
        found = asyncio.run(Orientation(self._classify, self._recognise_turned).settle(self.columns))
        return np.flatnonzero(found).tolist()

    @property
    def scores(self) -> list[float]:
        return [round(float(confidences[0]), 2) for _, confidences in self.columns]


@pytest.mark.parametrize(
    ("upright", "turned", "looks", "classified", "expected", "reason"),
    [
        ([0.99, 0.98], [0.1, 0.1], [0, 1], [], [], "lines that read well are upright"),
        ([0.99, 0.5], [0.1, 0.3], [], [1], [], "a line that reads badly is classified"),
        ([0.5], [0.9], [0], [0], [0], "an upside-down line is turned"),
        ([0.9], [0.6], [0], [0], [], "a line that reads worse after the turn is not turned"),
        ([0.5, 0.99], [0.9, 0.99], [0, 1], [0, 1], [0, 1], "after one upside-down line, all are classified"),
        ([0.0], [0.0], [0], [0], [], "a line without text is not turned"),
        ([], [], [], [], [], "no lines"),
    ],
)
def test_lines(
    upright: list[float],
    turned: list[float],
    looks: list[int],
    classified: list[int],
    expected: list[int],
    reason: str,
) -> None:
    lines = Lines(upright, turned, looks)
    assert lines.settled() == expected, reason
    assert lines.classified == classified, reason
    kept = [turned[n] if n in expected else score for n, score in enumerate(upright)]
    assert lines.scores == kept, reason


def test_an_upside_down_line_of_one_character_says_nothing_about_its_page() -> None:
    lines = Lines([0.5, 0.99], [0.9, 0.99], [0, 1], characters=1)
    assert lines.settled() == [0]
    assert lines.classified == [0]
