"""The time limit for reading a file, and whose fault it is that the limit passes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from typing import TypeVar

from tritonocr_backend.core.errors import InvalidInputError, OverloadedError
from tritonocr_backend.triton.work_share import WorkShare

MIN_OWN_SHARE = 0.75
"""A file is at fault if the server worked on the file for at least this part of the limit."""

_T = TypeVar("_T")


class Deadline:
    """A time limit that begins when it is made.

    Args:
        seconds: the limit `max_seconds`.
        work_share: tells how much of the server's work is this file.
    """

    def __init__(self, seconds: float, work_share: WorkShare) -> None:
        self._seconds, self._work_share = seconds, work_share
        self._ends_s = time.monotonic() + seconds
        self._before = work_share.cpu_seconds()

    async def wait_for(self, work: Awaitable[_T]) -> _T:
        """Wait for work until the time limit, and cancel the work then.

        Raises:
            InvalidInputError: reading the file itself takes longer than the limit.
            OverloadedError: the server worked on other files meanwhile.
        """
        try:
            return await asyncio.wait_for(work, self._ends_s - time.monotonic())
        except asyncio.TimeoutError as error:
            raise self._reason() from error

    def _reason(self) -> Exception:
        if self._work_share.since(self._before) >= MIN_OWN_SHARE:
            return InvalidInputError(
                f"file: reading its pages takes more than {self._seconds} s "
                "(limit max_seconds), expected fewer or smaller pages",
                "too_large",
            )
        return OverloadedError(
            f"the server is busy with other files and did not read this file within {self._seconds} s "
            "(limit max_seconds); try again later"
        )
