"""Run one or several tritonservers that share the cores, and restart them one after the other."""

from __future__ import annotations

import contextlib
import logging
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from tritonocr_backend.core.errors import ServerError
from tritonocr_backend.server.embedded import EmbeddedServer, ServerOptions
from tritonocr_backend.server.page_probe import is_ready

PORT_STEP = 10
"""Distance between the ports of neighbouring replicas."""
NOTICE_S = 5.0
"""Pause in seconds before the next replica stops: clients check a server that was down every 2 s. If the next
one stopped at once, they would find no server."""
_LAST_PORT = 65535
_POLL_S = 0.2

Report = Callable[[str], None]

_log = logging.getLogger(__name__)


def replica_options(options: ServerOptions, count: int) -> list[ServerOptions]:
    """Return the options of each replica; replica n listens on the given ports + 10 · (n - 1).

    Args:
        options: options of the first replica. Port 0 gives each replica a free port.
        count: number of replicas; a single one keeps its options unchanged.

    Raises:
        ServerError: a port is larger than 65535, or two replicas need the same port.
    """
    if count == 1:
        return [options]
    owners: dict[int, str] = {}
    return [_numbered(options, index, owners) for index in range(count)]


def _numbered(options: ServerOptions, index: int, owners: dict[int, str]) -> ServerOptions:
    """Return the options of one replica, and add its ports to the owners."""
    ports: dict[str, Any] = {}
    for name in ("http_port", "grpc_port", "metrics_port"):
        port = getattr(options, name)
        if not port:
            continue
        ports[name] = port = port + PORT_STEP * index
        owner = f"{name} of replica {index + 1}"
        if port > _LAST_PORT:
            raise ServerError(f"{owner} is {port}; expected at most {_LAST_PORT}")
        if port in owners:
            raise ServerError(
                f"{owners[port]} and {owner} are both {port}: the ports of two replicas differ by {PORT_STEP}"
            )
        owners[port] = owner
    return replace(options, name=f"replica {index + 1}", **ports)


class Replicas:
    """Tritonservers of the same models, each with its own ports and its own supervisor.

    As a context manager, the class starts the servers and stops them at the end of the block.

    Args:
        repository: model repository of all servers.
        options: options of each server.
        scratch: temporary folder of the caller. Repositories in it are removed when no server uses them.

    Attributes:
        servers: the servers in the order of `options`.

    Raises:
        ServerError: a port is in use, or this process has no permission to use the port.
    """

    def __init__(self, repository: Path, options: Sequence[ServerOptions], scratch: Path) -> None:
        self._scratch = scratch
        self._down: set[EmbeddedServer] = set()
        self.servers: list[EmbeddedServer] = []
        for each in options:
            with _named(each.name):
                self.servers.append(EmbeddedServer(repository, each, scratch))

    def __enter__(self) -> Replicas:
        try:
            for server in self.servers:  # one after the other: each then sees the shared memory that is left
                with _named(server.options.name):
                    server.start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop()

    def _stop(self) -> None:
        with ThreadPoolExecutor(len(self.servers)) as pool:
            list(pool.map(EmbeddedServer.stop, self.servers))

    def check(self) -> None:
        """Note the servers that their supervisors could not restart; the others continue.

        Raises:
            ServerError: no server is left.
        """
        for server in self.servers:
            if server in self._down:
                continue
            try:
                server.wait(0)
            except ServerError as error:
                self._down.add(server)
                server.stop()
                if len(self._down) == len(self.servers):
                    raise
                _log.error("%s is down until the next `tritonocr reload`: %s", server.options.name, error)

    def reload(self, repository: Path, report: Report) -> None:
        """Restart the servers one after the other with a new repository.

        A server is stopped only while another one is ready. A single server has no other one: requests wait
        until the server has restarted.

        Args:
            repository: the new model repository.
            report: receives a sentence about each step.

        Raises:
            ServerError: a server did not start with the new repository; it then runs with its previous one,
                and the remaining servers are not restarted. Or no other server is ready.
        """
        used = {server.repository for server in self.servers}
        for server in self.servers:
            name = server.options.name or "the server"
            if server is not self.servers[0]:
                time.sleep(NOTICE_S)
            self._wait_for_another(server)
            report(f"{name} stops after its requests in flight" + self._gap())
            self._exchange(server, repository)
            report(f"{name} has read a page with the new settings")
        for folder in used:
            if self._scratch in folder.parents:
                shutil.rmtree(folder, ignore_errors=True)

    def _gap(self) -> str:
        is_single = len(self.servers) == 1
        return "; new requests wait until it has restarted, because there is no other replica" * is_single

    def _exchange(self, server: EmbeddedServer, repository: Path) -> None:
        name, previous = server.options.name or "the server", server.repository
        server.stop()
        try:
            self._start(server, repository)
        except Exception as error:
            self._start(server, previous)
            raise ServerError(
                f"{name} did not start with the new settings and runs with its previous ones again: {error}"
            ) from error

    def _start(self, server: EmbeddedServer, repository: Path) -> None:
        server.repository = repository
        server.start()
        self._down.discard(server)

    def _wait_for_another(self, server: EmbeddedServer) -> None:
        others = [other for other in self.servers if other is not server]
        deadline_s = time.monotonic() + server.options.ready_timeout_s
        while others and not any(is_ready(other.http_url) for other in others):
            if time.monotonic() > deadline_s:
                raise ServerError(f"{server.options.name} was not restarted, because no other one is ready")
            time.sleep(_POLL_S)


@contextlib.contextmanager
def _named(name: str) -> Iterator[None]:
    """Put the name of a replica before its error."""
    try:
        yield
    except ServerError as error:
        raise ServerError(f"{name}: {error}" if name else str(error)) from error
