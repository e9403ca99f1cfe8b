"""Which lines of a page are upside down, with a call of the classifier only for lines that read badly.

An upside-down line reads badly. A line that reads well as it is needs no classifier, which takes longer than
unwarping on a page of 60 lines, and which takes 2 % of upright lines of receipts for upside down.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tritonocr_backend.core.arrays import Floats, Ints
from tritonocr_backend.pipeline.text_recognition import ctc_score, kept_columns

Columns = tuple[Ints, Floats]
"""What the recognition network returns for a line: int32 [T] classes and float32 [T] confidences."""

SURE_SCORE = 0.95
"""A line with at least this score is upright."""

MIN_CHARACTERS = 2
"""A shorter line, such as ":" or "0", does not show that its page has upside-down lines."""


@dataclass(frozen=True)
class Orientation:
    """How the lines of a page are found that are upside down.

    Attributes:
        classify: returns bool [k], whether the lines of these numbers look upside down.
        recognise_turned: reads the lines of these numbers after a turn by 180 degrees.
    """

    classify: Callable[[Ints], Awaitable[NDArray[np.bool_]]]
    recognise_turned: Callable[[Ints], Awaitable[list[Columns]]]

    async def settle(self, columns: list[Columns]) -> NDArray[np.bool_]:
        """Replace the columns of upside-down lines, and return which lines these are.

        Lines that read well are classified only if the page has a line that is upside down.

        Args:
            columns: of each line as it is on the page; changed in place.
        """
        scores = np.array([ctc_score(*line) for line in columns])
        upside_down = np.zeros(len(columns), dtype=bool)
        for numbers in (np.flatnonzero(scores < SURE_SCORE), np.flatnonzero(scores >= SURE_SCORE)):
            found = await self._upside_down(numbers.astype(np.int32), columns, scores)
            upside_down[found] = True
            if not any(len(kept_columns(columns[number][0])) >= MIN_CHARACTERS for number in found):
                break
        return upside_down

    async def _upside_down(self, numbers: Ints, columns: list[Columns], scores: Floats) -> Sequence[int]:
        """Return which lines the classifier takes for upside down, if they read better after a turn."""
        if not len(numbers):
            return []
        turned = numbers[await self.classify(numbers)]
        if not len(turned):
            return []
        found = []
        for number, line in zip(turned.tolist(), await self.recognise_turned(turned), strict=True):
            if scores[number] <= ctc_score(*line) > 0:
                columns[number] = line
                found.append(number)
        return found
