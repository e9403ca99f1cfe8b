"""Admission: a request beyond a limit is refused at once instead of waiting without end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tritonocr_gateway.errors import OverCapacityError

_MINUTE_S = 60.0
_MOST_CALLERS = 10_000  # remembered: addresses are cheap


class Admission:
    """A number of permits; to be used from one event loop.

    Args:
        permits: how many may be out at once.
    """

    def __init__(self, permits: int) -> None:
        self._permits = permits
        self.in_flight = 0

    @contextmanager
    def permit(self) -> Iterator[None]:
        """Hold a permit.

        Raises:
            OverCapacityError: all are out.
        """
        if self.in_flight >= self._permits:
            raise OverCapacityError(
                f"All {self._permits} places are taken (setting max_concurrent_requests); try again later."
            )
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1


class Rate:
    """How many requests a minute each caller may make: the generic cell rate algorithm.

    Args:
        per_minute: how many; 0 sets no limit.
        clock: tells seconds.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute, self._clock = per_minute, clock
        self._even_at_s: dict[str, float] = {}  # when a caller's earlier requests will have been made up for

    def check(self, caller: str) -> None:
        """Count a request.

        Raises:
            OverCapacityError: it is one too many.
        """
        if not self._per_minute:
            return
        now_s, interval_s = self._clock(), _MINUTE_S / self._per_minute
        even_at_s = max(now_s, self._even_at_s.get(caller, now_s)) + interval_s
        if even_at_s > now_s + _MINUTE_S + interval_s / 2:  # half: sums of intervals are rounded
            raise OverCapacityError(
                f"More than {self._per_minute} requests a minute (setting max_requests_per_minute)."
            )
        self._even_at_s[caller] = even_at_s
        if len(self._even_at_s) > _MOST_CALLERS:
            self._forget(now_s)

    def _forget(self, now_s: float) -> None:
        """Drop the callers that are even, and if all owe, those that owe least."""
        owing = sorted(self._even_at_s.items(), key=lambda item: item[1])[-_MOST_CALLERS // 2 :]
        self._even_at_s = {caller: even_at_s for caller, even_at_s in owing if even_at_s > now_s}
