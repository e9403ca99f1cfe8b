"""HTTP connections with bounds: idle time, slow request heads, unread responses, shutdown, and their number.

uvicorn bounds the idle time only between two requests of a connection, and has no bound on the number of
connections that keeps new clients served.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any, ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from tritonocr_gateway.sending import in_pieces
from tritonocr_gateway.settings import Settings

BACKLOG = 64  # connections that asyncio accepts in one iteration of the event loop
# Open files beyond the counted connections: connections accepted but not yet counted or not yet closed
# (up to five iterations), and the process's own files.
_RESERVED_FILES = 5 * BACKLOG + 64
_MIN_CONNECTIONS = 16
_MIN_READ_BYTES = 8192  # that a client must read of a response within `send_timeout_s`
SHUTDOWN_GRACE_S = 2.0
"""Once the gateway stops: seconds for a body to arrive, and the longest `send_timeout_s`."""
_UNAVAILABLE = (
    b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"
)


class ConnectionLimits:
    """The limits of one gateway, and its connections that can be closed at a limit.

    Args:
        settings: the limits.
        open_files: the process's limit on open files; asked from the system where None.
    """

    def __init__(self, settings: Settings, open_files: int | None = None) -> None:
        files = _open_files_limit() if open_files is None else open_files
        self.max_connections = min(settings.max_connections, max(files - _RESERVED_FILES, _MIN_CONNECTIONS))
        self.head_timeout_s = settings.head_timeout_s
        self.send_timeout_s = settings.send_timeout_s
        self.max_unsent_bytes = settings.max_unsent_bytes
        # Both in the order of insertion: the first connection has waited longest.
        self.waiting: dict[BoundedProtocol, None] = {}
        self.unread: dict[BoundedProtocol, None] = {}

    def make_room(self, opened: BoundedProtocol, count: int) -> None:
        """Close a connection if the new one exceeds the limit: the longest idle one, else the new one."""
        if count <= self.max_connections:
            return
        oldest = next(iter(self.waiting), None)
        if oldest is None or oldest is opened:
            opened.transport.write(_UNAVAILABLE)
            opened.transport.close()
        else:
            oldest.transport.abort()
            self.waiting.pop(oldest, None)

    def drop_unread(self) -> None:
        """Close the longest waiting connections until the unread responses fit the limit."""
        while (
            len(self.unread) > 1
            and sum(map(BoundedProtocol.unsent_bytes, self.unread)) > self.max_unsent_bytes
        ):
            oldest = next(iter(self.unread))
            del self.unread[oldest]
            oldest.transport.abort()


class BoundedProtocol(H11Protocol):
    """uvicorn's HTTP/1.1 protocol with `limits`."""

    limits: ClassVar[ConnectionLimits]

    _head_timer: asyncio.TimerHandle | None = None
    _send_timer: asyncio.TimerHandle | None = None
    _unsent_body_bytes: int = 0

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.app = in_pieces(self.app, self._hold)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the head timer, and apply the limit on connections."""
        super().connection_made(transport)
        self._watch_head()
        self.limits.make_room(self, len(self.connections))

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timers."""
        super().connection_lost(exc)
        self._stop_head_timer()
        self._stop_send_timer()

    def handle_events(self) -> None:
        """Parse what has arrived, and stop the head timer once a request head is complete."""
        super().handle_events()
        self._watch_head()

    def on_response_complete(self) -> None:
        """Restart the head timer for the next request."""
        self._stop_head_timer()
        super().on_response_complete()
        self._watch_head()

    def send_400_response(self, msg: str) -> None:
        """Respond to invalid HTTP, or close the connection where a response has already begun."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            super().send_400_response(msg)
        else:
            self.transport.close()

    def pause_writing(self) -> None:
        """Start the send timer: the client reads more slowly than the gateway sends."""
        super().pause_writing()
        self.limits.unread[self] = None
        self._expect_progress()
        self.limits.drop_unread()

    def resume_writing(self) -> None:
        """Stop the send timer."""
        super().resume_writing()
        self._stop_send_timer()

    def shutdown(self) -> None:
        """Finish the current response, without waiting for a slow upload or a client that does not read."""
        super().shutdown()
        self.limits.send_timeout_s = min(self.limits.send_timeout_s, SHUTDOWN_GRACE_S)
        if self._send_timer is not None:
            self._send_timer.cancel()
            self._expect_progress()
        if self.conn.their_state is h11.SEND_BODY:
            self.loop.call_later(SHUTDOWN_GRACE_S, self._end_upload)

    def unsent_bytes(self) -> int:
        """Return the bytes of the response that wait, in the transport's buffer or before it."""
        return self.transport.get_write_buffer_size() + self._unsent_body_bytes

    def _hold(self, unsent_bytes: int) -> None:
        self._unsent_body_bytes = unsent_bytes

    def _end_upload(self) -> None:
        if self.conn.their_state is not h11.SEND_BODY or self.transport.is_closing():
            return
        if not self.cycle.response_started:
            self.transport.write(_UNAVAILABLE)
        self.transport.close()

    def _watch_head(self) -> None:
        is_waiting = self.cycle is None or self.cycle.response_complete
        if not is_waiting:
            self._stop_head_timer()
        elif self._head_timer is None and not self.transport.is_closing():
            self.limits.waiting[self] = None
            self._head_timer = self.loop.call_later(self.limits.head_timeout_s, self.transport.close)

    def _stop_head_timer(self) -> None:
        self.limits.waiting.pop(self, None)
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _expect_progress(self) -> None:
        self._send_timer = self.loop.call_later(
            self.limits.send_timeout_s, self._check_progress, self.unsent_bytes()
        )

    def _check_progress(self, unsent_before: int) -> None:
        if unsent_before - self.unsent_bytes() < _MIN_READ_BYTES:
            self.transport.abort()
        else:
            self._expect_progress()

    def _stop_send_timer(self) -> None:
        self.limits.unread.pop(self, None)
        if self._send_timer is not None:
            self._send_timer.cancel()
            self._send_timer = None


def _open_files_limit() -> int:
    """Return how many files this process can have open."""
    if sys.platform == "win32":
        return sys.maxsize
    import resource

    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft


def bounded_protocol(settings: Settings) -> type[BoundedProtocol]:
    """Return a protocol class for uvicorn whose connections share the limits of the settings."""
    return type("GatewayProtocol", (BoundedProtocol,), {"limits": ConnectionLimits(settings)})
