"""The state of one of several servers, and the servers that one request has tried."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from .._exceptions import OverloadedError, ServerError, ServerUnavailableError, unreachable
from .address import Address
from .base import Transport

_T = TypeVar("_T")
_logger = logging.getLogger("tritonocr")

# Attempts in which a server may have started to read the file, before the file is given up: a file that stops
# servers must not stop all of them.
MAX_BEGUN = 3
# Pauses between checks of a failed server: doubled each time, and shortened at random so that clients do
# not return together.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
PROBE_EVERY_S = 2.0
PROBE_TIMEOUT_S = 5.0
SILENT_PROBES = 2


@dataclass(eq=False)
class Server:
    """One of the servers.

    Attributes:
        address: its address.
        transport: the connection.
        in_flight: number of unanswered requests.
        last_turn: number of the last request that it received.
        trouble: the error that put it out of use; it gets requests again when a probe finds it ready, or when
            no other server is left.
        failures: failed requests and probes in a row.
        pause_ends_s: end of its pause by the monotonic clock: the time of the next probe or, without trouble,
            the time from which it is preferred again.
        silences: probes in a row without any answer.
        gone: set when its requests in flight will not be answered.
    """

    address: Address
    transport: Transport
    in_flight: int = 0
    last_turn: int = 0
    trouble: ServerUnavailableError | None = None
    failures: int = 0
    pause_ends_s: float = 0.0
    silences: int = 0
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    def order(self) -> tuple[bool, bool, int, int]:
        """Return the sort key: no trouble, no pause, fewest requests, longest without a request."""
        is_pausing = self.pause_ends_s > time.monotonic()
        return (self.trouble is not None, is_pausing, self.in_flight, self.last_turn)

    def failed(self, error: ServerError) -> None:
        """Record a failure: an absent server is out of use, an overloaded or broken one gets a pause."""
        pause_s = min(FIRST_PAUSE_S * 2**self.failures, LONGEST_PAUSE_S)
        self.failures += 1
        self.pause_ends_s = time.monotonic() + pause_s * random.uniform(0.5, 1)  # noqa: S311 (no secret)
        if isinstance(error, ServerUnavailableError) and not isinstance(error, OverloadedError):
            if self.trouble is None:
                _logger.warning(
                    "No requests are sent to %s until it is ready again: %s", self.address, error.reason
                )
            self.trouble = error

    def works(self) -> None:
        """Record that it answers and accepts requests."""
        if self.trouble is not None:
            _logger.info("%s is ready; requests are sent to it again", self.address)
            self.pause_ends_s = 0.0
        self.trouble, self.failures = None, 0
        if self.gone.is_set():
            self.gone = asyncio.Event()

    async def probe(self, model_name: str) -> None:
        """Ask the server whether it is ready."""
        try:
            health = await asyncio.wait_for(self.transport.health(model_name), PROBE_TIMEOUT_S)
        except asyncio.TimeoutError:
            self.silences += 1
            self.failed(unreachable(self.address, f"no answer within {PROBE_TIMEOUT_S:g} s"))
            if self.silences >= SILENT_PROBES:
                self.gone.set()
            return
        self.silences = 0
        if health.ready and health.model_ready:
            self.works()
        else:
            self.failed(self.trouble or unreachable(self.address, "it is not ready"))

    async def watch(self, model_name: str) -> None:
        """Probe the server at intervals, so that a draining server gets no more requests.

        A server that does not answer although it is connected is given up together with its requests.
        """
        while True:
            await asyncio.sleep(
                max(self.pause_ends_s - time.monotonic(), 0.1) if self.trouble else PROBE_EVERY_S
            )
            await self.probe(model_name)

    async def unless_gone(self, answer: Awaitable[_T], gone: asyncio.Event) -> _T:
        """Wait for an answer, but only until the server is given up.

        Raises:
            ServerUnavailableError: the server was given up.
        """
        answering, leaving = asyncio.ensure_future(answer), asyncio.ensure_future(gone.wait())
        try:
            await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if answering.done():
                return answering.result()
            raise unreachable(self.address, "it has stopped answering", may_have_begun=True)
        finally:
            answering.cancel()
            leaving.cancel()
            await asyncio.gather(answering, leaving, return_exceptions=True)


class Attempts:
    """The servers that one request has tried."""

    def __init__(self) -> None:
        self._errors: dict[Server, ServerError] = {}
        self._begun = 0

    def next(self, servers: Iterable[Server]) -> Server:
        """Return the best server that was not tried.

        Raises:
            ServerError: all servers were tried; the message has each server's reason.
        """
        untried = [server for server in servers if server not in self._errors]
        if not untried:
            raise _nobody(self._errors)
        return min(untried, key=Server.order)

    def failed(self, server: Server, error: ServerError) -> None:
        """Record the error of a server.

        Raises:
            ServerError: the same error, if too many servers may have started to read the file.
        """
        server.failed(error)
        self._errors[server] = error
        self._begun += not isinstance(error, ServerUnavailableError) or error.may_have_begun
        if self._begun >= MAX_BEGUN:
            raise error


def _nobody(errors: dict[Server, ServerError]) -> ServerError:
    """Return one error for all servers: first a server's own failure, then overload, then absence."""
    failures = [error for error in errors.values() if not isinstance(error, ServerUnavailableError)]
    if failures or len(errors) == 1:
        return (failures or list(errors.values()))[-1]
    reasons = "; ".join(
        f"{server.address}: {error.reason.rstrip('.')}"
        for server, error in errors.items()
        if isinstance(error, ServerUnavailableError)
    )
    if any(isinstance(error, OverloadedError) for error in errors.values()):
        return OverloadedError(f"None of the {len(errors)} TritonOCR servers accepts requests now: {reasons}")
    return ServerUnavailableError(f"None of the {len(errors)} TritonOCR servers answers: {reasons}")
