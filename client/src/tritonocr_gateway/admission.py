"""Admission control: reject a request that exceeds a limit at once, instead of queueing it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tritonocr_gateway.errors import OverCapacityError

_MINUTE_S = 60.0
_MAX_REMEMBERED_CALLERS = 10_000  # bounds the memory: a caller can have many addresses


class Admission:
    """A fixed number of permits, for use in one event loop.

    Args:
        permits: the largest number of permits that are held at the same time.
    """

    def __init__(self, permits: int) -> None:
        self._permits = permits
        self.in_flight = 0

    def check(self) -> None:
        """Check that a permit is free, without taking it.

        Raises:
            OverCapacityError: no permit is free.
        """
        if self.in_flight >= self._permits:
            raise OverCapacityError(
                f"The gateway already processes {self._permits} requests (setting max_concurrent_requests); "
                "try again later."
            )

    @contextmanager
    def permit(self) -> Iterator[None]:
        """Hold a permit while the context is open.

        Raises:
            OverCapacityError: no permit is free.
        """
        self.check()
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1


class RequestRate:
    """Limit the requests per minute of each caller with the generic cell rate algorithm (GCRA).

    Args:
        per_minute: requests per minute; 0 sets no limit.
        clock: returns the current time in seconds.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute, self._clock = per_minute, clock
        self._next_arrival_s: dict[str, float] = {}  # GCRA's theoretical arrival time, per caller

    def check(self, caller: str) -> None:
        """Count one request of a caller.

        Raises:
            OverCapacityError: the caller has used its requests of this minute.
        """
        if not self._per_minute:
            return
        now_s, interval_s = self._clock(), _MINUTE_S / self._per_minute
        next_s = max(now_s, self._next_arrival_s.get(caller, now_s)) + interval_s
        if next_s > now_s + _MINUTE_S + interval_s / 2:  # half an interval: sums of floats are inexact
            raise OverCapacityError(
                f"The limit is {self._per_minute} requests per minute (setting max_requests_per_minute); "
                "try again later."
            )
        self._next_arrival_s[caller] = next_s
        if len(self._next_arrival_s) > _MAX_REMEMBERED_CALLERS:
            self._forget(now_s)

    def _forget(self, now_s: float) -> None:
        """Keep the half of the callers that used the most, without those that have their full rate again."""
        busiest = sorted(self._next_arrival_s.items(), key=lambda item: item[1])
        kept = busiest[-_MAX_REMEMBERED_CALLERS // 2 :]
        self._next_arrival_s = {caller: next_s for caller, next_s in kept if next_s > now_s}
