"""Bound the number of the bodies that are arriving, and the bytes of all bodies until their responses."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tritonocr_gateway.errors import OverCapacityError, UploadTimeoutError

_T = TypeVar("_T")
_MIN_AGE_S = 1.0  # a new upload counts as this old, so that its rate is comparable


@dataclass(eq=False)
class Upload:
    """One body.

    Attributes:
        started_s: when the upload began.
        response: the response to the request of this body.
        received_bytes: bytes that have arrived.
        rejection: the limit for which the upload was rejected; empty while it is not.
        task: what reads the body.
    """

    started_s: float
    response: contextlib.ExitStack
    received_bytes: int = 0
    rejection: str = ""
    task: asyncio.Future[Any] | None = None

    def rate(self, now_s: float) -> float:
        """Return the average rate in bytes per second."""
        return self.received_bytes / max(now_s - self.started_s, _MIN_AGE_S)


class UploadLimiter:
    """Limit the uploads in progress, and the bytes of all bodies. At a limit, the slowest upload is rejected.

    Clients that send half of a body and then wait therefore never keep others out. A body that is alone is
    never rejected.

    Args:
        max_uploads: the largest number of bodies that arrive at the same time.
        max_bytes: the largest number of bytes of all bodies together, from their first byte to the end of
            their response.
        clock: returns the current time in seconds.
    """

    def __init__(self, max_uploads: int, max_bytes: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_uploads, self._max_bytes, self._clock = max_uploads, max_bytes, clock
        self._arriving: set[Upload] = set()
        self._held: set[Upload] = set()  # arriving, or held by a request in progress

    async def run(
        self,
        read: Callable[[Upload], Awaitable[_T]],
        timeout_s: float | None,
        response: contextlib.ExitStack,
    ) -> _T:
        """Read a body as one of the limited uploads.

        Args:
            read: reads the body and reports its bytes with `count()`.
            timeout_s: seconds that the whole body may take; None sets no limit.
            response: is closed at the end of the response; the bytes of the body count until then.

        Raises:
            UploadTimeoutError: the body did not arrive in time.
            OverCapacityError: the upload was the slowest one when a limit was reached.
        """
        upload = Upload(self._clock(), response)
        self._arriving.add(upload)
        self._held.add(upload)
        response.callback(self._held.discard, upload)
        upload.task = asyncio.ensure_future(read(upload))
        if len(self._arriving) > self._max_uploads:
            limit = f"{self._max_uploads} bodies already arrive (setting max_uploads)"
            self._reject_slowest(limit, except_for=upload)
        try:
            return await asyncio.wait_for(upload.task, timeout_s)
        except asyncio.TimeoutError as error:
            raise UploadTimeoutError(
                f"The body did not arrive within {timeout_s:g} s (setting upload_timeout_s)."
            ) from error
        except asyncio.CancelledError:
            if upload.rejection:
                raise OverCapacityError(
                    f"{upload.rejection}, and this body arrived slowest; try again later."
                ) from None
            raise
        finally:
            self._arriving.discard(upload)

    def count(self, upload: Upload, received_bytes: int) -> None:
        """Record that bytes of an upload have arrived."""
        upload.received_bytes += received_bytes
        limit = f"All bodies together exceed {self._max_bytes} bytes (setting max_held_body_bytes)"
        while self._arriving and self.held_bytes > self._max_bytes and self._requests() > 1:
            self._reject_slowest(limit)

    @property
    def held_bytes(self) -> int:
        """The bytes of all bodies, arriving or held by a request in progress."""
        return sum(upload.received_bytes for upload in self._held)

    def _requests(self) -> int:
        return len({upload.response for upload in self._held})

    def _reject_slowest(self, limit: str, except_for: Upload | None = None) -> None:
        now_s = self._clock()
        slowest = min(
            (upload for upload in self._arriving if upload is not except_for), key=lambda u: u.rate(now_s)
        )
        slowest.rejection = limit
        self._arriving.discard(slowest)
        self._held.discard(slowest)
        assert slowest.task
        slowest.task.cancel()


class HeldBodyMiddleware:
    """Close `request.state.response` at the end of each response, so that its body no longer counts."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle an ASGI request."""
        with contextlib.ExitStack() as response:
            scope.setdefault("state", {})["response"] = response

            async def closing_send(message: Message) -> None:
                # The endpoint has ended. A client that does not read holds only its response, which
                # `max_unsent_bytes` limits.
                if message["type"] == "http.response.body" and not message.get("more_body"):
                    response.close()
                await send(message)

            await self._app(scope, receive, closing_send)
