"""Admission: a request beyond the limit is refused at once instead of waiting without end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tritonocr_gateway.errors import OverCapacityError


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
