"""Bound the number and the bytes of the request bodies that are still arriving."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from tritonocr_gateway.errors import OverCapacityError, UploadTimeoutError

_T = TypeVar("_T")
_MIN_AGE_S = 1.0  # a new upload counts as this old, so that its rate is comparable


@dataclass(eq=False)
class Upload:
    """One arriving body.

    Attributes:
        started_s: when the upload began.
        received_bytes: bytes that have arrived.
        is_rejected: whether the upload was rejected to make room for others.
        task: what reads the body.
    """

    started_s: float
    received_bytes: int = 0
    is_rejected: bool = False
    task: asyncio.Future[Any] | None = None

    def rate(self, now_s: float) -> float:
        """Return the average rate in bytes per second."""
        return self.received_bytes / max(now_s - self.started_s, _MIN_AGE_S)


class UploadLimiter:
    """Limit the uploads in progress. At a limit, the slowest upload is rejected to make room.

    Clients that send half of a body and then wait therefore never keep others out.

    Args:
        max_uploads: the largest number of bodies that arrive at the same time.
        max_bytes: the largest number of bytes that these bodies hold together.
        clock: returns the current time in seconds.
    """

    def __init__(self, max_uploads: int, max_bytes: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_uploads, self._max_bytes, self._clock = max_uploads, max_bytes, clock
        self._uploads: set[Upload] = set()

    async def run(self, read: Callable[[Upload], Awaitable[_T]], timeout_s: float) -> _T:
        """Read a body as one of the limited uploads.

        Args:
            read: reads the body and reports its bytes with `count()`.
            timeout_s: seconds that the whole body may take.

        Raises:
            UploadTimeoutError: the body did not arrive in time.
            OverCapacityError: the upload was the slowest one when a limit was reached.
        """
        upload = Upload(self._clock())
        self._uploads.add(upload)
        upload.task = asyncio.ensure_future(read(upload))
        if len(self._uploads) > self._max_uploads:
            self._reject_slowest(except_for=upload)
        try:
            return await asyncio.wait_for(upload.task, timeout_s)
        except asyncio.TimeoutError as error:
            raise UploadTimeoutError(
                f"The body did not arrive within {timeout_s:g} s (setting upload_timeout_s)."
            ) from error
        except asyncio.CancelledError:
            if upload.is_rejected:
                raise OverCapacityError(
                    "The gateway receives too many bodies at the same time, and this one was the slowest; "
                    "try again later."
                ) from None
            raise
        finally:
            self._uploads.discard(upload)

    def count(self, upload: Upload, received_bytes: int) -> None:
        """Record that bytes of an upload have arrived."""
        upload.received_bytes += received_bytes
        while len(self._uploads) > 1 and self._held_bytes() > self._max_bytes:
            self._reject_slowest(except_for=None)

    def _held_bytes(self) -> int:
        return sum(upload.received_bytes for upload in self._uploads)

    def _reject_slowest(self, except_for: Upload | None) -> None:
        now_s = self._clock()
        slowest = min(
            (upload for upload in self._uploads if upload is not except_for), key=lambda u: u.rate(now_s)
        )
        slowest.is_rejected = True
        self._uploads.discard(slowest)
        assert slowest.task
        slowest.task.cancel()
