"""One transport over several servers: it sends each request to the least busy server, and retries on others.

gRPC's own round-robin distributes requests by number. It does not know how long a request takes, and pages
differ by a factor of a hundred; nor does it know that a server is draining. Here the number of unanswered
requests counts. gRPC's retries do not distinguish a request that was never read from a request that stopped
its server.

Reading has no side effects, so that a request that failed through a server's fault is sent to another server.
Each response is yielded once; after a broken stream, the next server continues after the last yielded page.
No request is sent to two servers at the same time.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Any, TypeVar

from .._exceptions import DeadlineExceededError, ServerError, ServerUnavailableError, deadline_exceeded
from .address import Address
from .base import Allowance, Health, Tensors, Transport
from .protocol import Request
from .server import Attempts, Server

_T = TypeVar("_T")
_logger = logging.getLogger("tritonocr")

LOOK_UP_EVERY_S = 30.0
LOOK_UP_IN_TROUBLE_S = 1.0
# Servers are still watched for a time after a request: requests may be shorter than a probe's pause.
WATCH_ON_S = 5.0


class Servers:
    """A transport over several servers.

    Args:
        addresses: addresses of the servers; a name with several IP addresses is looked up repeatedly.
        open_one: makes the transport to one server.
    """

    def __init__(self, addresses: Sequence[Address], open_one: Callable[[Address], Transport]) -> None:
        self._names = [address for address in addresses if address.is_name_of_several]
        self._fixed = [address for address in addresses if not address.is_name_of_several]
        self._open_one = open_one
        self._servers = {address: Server(address, open_one(address)) for address in self._fixed}
        self.streams = not any(address.is_http for address in addresses)
        self._turns = itertools.count(1)
        self._looked_up_s = float("-inf")
        self._looking_up = asyncio.Lock()
        self._in_flight = 0
        self._watches: list[asyncio.Task[None]] = []
        self._stop_later: asyncio.TimerHandle | None = None

    async def responses(self, request: Request, timeout_s: float | None) -> AsyncGenerator[Tensors, None]:
        """Send one request to one server after another until it is answered, and yield the responses.

        Raises:
            TritonOCRError: the request's own error, at once; or the servers' errors, when all were tried.
        """
        attempts, allowance, given = Attempts(), Allowance(timeout_s), 0
        while True:
            server = attempts.next(await self._known())
            count = 0
            try:
                async with aclosing(self._attempt(server, request, allowance)) as answers:
                    async for tensors in answers:
                        count += 1
                        if count > given:  # an earlier server sent the others
                            given = count
                            yield tensors
                return
            except DeadlineExceededError as error:
                raise deadline_exceeded(server.address, timeout_s) from error
            except ServerError as error:
                attempts.failed(server, error)
                if allowance.is_spent:
                    raise deadline_exceeded(server.address, timeout_s) from error

    async def model_config(self, model_name: str) -> dict[str, Any]:
        """Return the model's configuration as JSON, from one of the servers."""
        return await self._first(lambda transport: transport.model_config(model_name))

    async def model_names(self) -> list[str]:
        """Return the names of the models that one of the servers has loaded."""
        return await self._first(lambda transport: transport.model_names())

    async def health(self, model_name: str) -> Health:
        """Return whether any server is live, is ready, and has the model."""
        try:
            servers = await self._known()
        except ServerUnavailableError:  # no host name is known
            servers = []
        found = await asyncio.gather(*(server.transport.health(model_name) for server in servers))
        return Health(
            live=any(health.live for health in found),
            ready=any(health.ready for health in found),
            model_ready=any(health.model_ready for health in found),
        )

    async def close(self) -> None:
        """Close all connections."""
        self._stop_watching()
        for server in self._servers.values():
            await server.transport.close()

    async def _attempt(
        self, server: Server, request: Request, allowance: Allowance
    ) -> AsyncGenerator[Tensors, None]:
        """Send the request to one server until it has answered, fails, or is given up."""
        trouble, gone = server.trouble, server.gone
        server.last_turn = next(self._turns)
        self._count(server, 1, request.model_name)
        try:
            async with aclosing(server.transport.responses(request, allowance.left_s)) as responses:
                while True:
                    with allowance.spending():
                        tensors = await server.unless_gone(anext(responses, None), gone)
                    if tensors is None:
                        break
                    yield tensors
            if server.trouble is trouble:  # else the trouble is newer than this response
                server.works()
        finally:
            self._count(server, -1, request.model_name)
            await self._part_from(server)

    def _count(self, server: Server, change: int, model_name: str) -> None:
        """Count the requests in flight; servers are watched while there are any, and a little longer."""
        server.in_flight += change
        self._in_flight += change
        if self._stop_later:
            self._stop_later.cancel()
        if not self._in_flight:
            self._stop_later = asyncio.get_running_loop().call_later(WATCH_ON_S, self._stop_watching)
        elif not self._watches:
            self._watches = [
                asyncio.create_task(server.watch(model_name)) for server in self._servers.values()
            ]

    def _stop_watching(self) -> None:
        if self._stop_later:
            self._stop_later.cancel()
        for watch in self._watches:
            watch.cancel()
        self._watches = []

    async def _first(self, ask: Callable[[Transport], Awaitable[_T]]) -> _T:
        attempts = Attempts()
        while True:
            server = attempts.next(await self._known())
            try:
                return await ask(server.transport)
            except ServerError as error:
                attempts.failed(server, error)

    async def _known(self) -> list[Server]:
        """Return the servers; look names up at intervals, and sooner when a server is in trouble."""
        async with self._looking_up:
            in_trouble = any(server.trouble for server in self._servers.values())
            every_s = LOOK_UP_IN_TROUBLE_S if in_trouble else LOOK_UP_EVERY_S
            if self._names and time.monotonic() - self._looked_up_s >= every_s:
                await self._look_up()
        return list(self._servers.values())

    async def _look_up(self) -> None:
        try:
            found = await asyncio.gather(*(name.looked_up() for name in self._names))
        except ServerUnavailableError as error:
            if not self._servers:
                raise
            _logger.warning("%s", error)  # the known servers may still answer
        else:
            await self._exchange({*self._fixed, *itertools.chain.from_iterable(found)})
        self._looked_up_s = time.monotonic()

    async def _exchange(self, addresses: set[Address]) -> None:
        """Add new servers and remove servers that have no address any more."""
        new, old = addresses - self._servers.keys(), self._servers.keys() - addresses
        if new or old:
            self._stop_watching()  # the next request starts it again
        self._servers.update(
            {address: Server(address, self._open_one(address)) for address in sorted(new, key=str)}
        )
        for address in old:
            await self._part_from(self._servers.pop(address))

    async def _part_from(self, server: Server) -> None:
        """Close the connection to a removed server after its last request."""
        if server.address not in self._servers and not server.in_flight:
            await server.transport.close()
