"""One of several servers as this client sees it, and the servers that one request tries."""

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

# Servers that may have begun to read a file before it is given up: one that kills servers must not kill all.
MAX_BEGUN = 3
# Pauses before a server that failed is asked again: doubled each time, and shortened by chance, so that not
# all clients come back at once.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
PROBE_EVERY_S = 2.0
PROBE_TIMEOUT_S = 5.0
SILENT_PROBES = 2


@dataclass(eq=False)
class Server:
    """One of the servers.

    Attributes:
        address: where it is.
        transport: the connection.
        in_flight: requests not yet answered.
        last_turn: number of the last request that it got.
        trouble: why it is out of use: it is left alone until a probe finds it ready, or no other is left.
        failures: in a row, of requests and probes.
        pause_ends_s: by the monotonic clock; when it is probed next or, if not in trouble, preferred again.
        silences: probes in a row that got no answer at all.
        gone: set when requests in flight are not worth waiting for.
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
        """What sorts servers: without trouble, not pausing, with the fewest requests, longest not asked."""
        is_pausing = self.pause_ends_s > time.monotonic()
        return (self.trouble is not None, is_pausing, self.in_flight, self.last_turn)

    def failed(self, error: ServerError) -> None:
        """Note a failure: one that is not there is out of use, an overloaded or broken one has a pause."""
        pause_s = min(FIRST_PAUSE_S * 2**self.failures, LONGEST_PAUSE_S)
        self.failures += 1
        self.pause_ends_s = time.monotonic() + pause_s * random.uniform(0.5, 1)  # noqa: S311 (no secret)
        if isinstance(error, ServerUnavailableError) and not isinstance(error, OverloadedError):
            if self.trouble is None:
                _logger.warning("%s is out of use: %s", self.address, error.reason)
            self.trouble = error

    def works(self) -> None:
        """Note that it answers and takes requests."""
        if self.trouble is not None:
            _logger.info("%s is in use again", self.address)
            self.pause_ends_s = 0.0
        self.trouble, self.failures = None, 0
        if self.gone.is_set():
            self.gone = asyncio.Event()

    async def probe(self, model_name: str) -> None:
        """Ask whether it is ready."""
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
        """Probe it for as long as it is watched: one that drains is left before it refuses requests.

        One that does not answer at all, though its connection stands, is given up with its requests.
        """
        while True:
            await asyncio.sleep(
                max(self.pause_ends_s - time.monotonic(), 0.1) if self.trouble else PROBE_EVERY_S
            )
            await self.probe(model_name)

    async def unless_gone(self, answer: Awaitable[_T], gone: asyncio.Event) -> _T:
        """Wait for an answer, but no longer than the server is there.

        Raises:
            ServerUnavailableError: it has gone without a word.
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
        """The best of the servers not yet tried.

        Raises:
            ServerError: all were; says what each answered.
        """
        untried = [server for server in servers if server not in self._errors]
        if not untried:
            raise _nobody(self._errors)
        return min(untried, key=Server.order)

    def failed(self, server: Server, error: ServerError) -> None:
        """Note what a server said.

        Raises:
            ServerError: the same, if the request has been begun too often.
        """
        server.failed(error)
        self._errors[server] = error
        self._begun += not isinstance(error, ServerUnavailableError) or error.may_have_begun
        if self._begun >= MAX_BEGUN:
            raise error


def _nobody(errors: dict[Server, ServerError]) -> ServerError:
    """One error for those of all servers: a server's own failure before refusals, those before absence."""
    failures = [error for error in errors.values() if not isinstance(error, ServerUnavailableError)]
    if failures or len(errors) == 1:
        return (failures or list(errors.values()))[-1]
    reasons = "; ".join(
        f"{server.address}: {error.reason.rstrip('.')}"
        for server, error in errors.items()
        if isinstance(error, ServerUnavailableError)
    )
    if any(isinstance(error, OverloadedError) for error in errors.values()):
        return OverloadedError(f"None of the {len(errors)} TritonOCR servers takes a request now: {reasons}")
    return ServerUnavailableError(f"None of the {len(errors)} TritonOCR servers answers: {reasons}")
