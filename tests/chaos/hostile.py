"""A server and its gateway under attack: what the processes hold, and how long `/health` takes meanwhile."""

from __future__ import annotations

import http.client
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from faults import _anonymous_bytes, regions, until
from running_gateway import free_port

from tritonocr import OCRClient, demo_page
from tritonocr._demo import DEMO_LINES
from tritonocr_backend.server.embedded import EmbeddedServer

MIB = 1 << 20
LARGEST_BODY = 97 * MIB
JSON = "application/json"
FORM = "multipart/form-data; boundary=b"
GROWTH_MIB = 1500
"""What one request of at most 100 MB may add to any process."""
HEALTH_GUARD_S = 5.0
"""The target is 1 s on a machine of its own; `what happened` states the figure."""


@dataclass
class Seen:
    """What was seen during an attack.

    Attributes:
        grown_mib: by the name of each process, how much its own memory grew at most.
        shared_mib: how much the regions in /dev/shm grew at most.
        health_s: the slowest response of the gateway's `/health`.
        statuses: of those responses.
    """

    grown_mib: dict[str, int] = field(default_factory=dict)
    shared_mib: int = 0
    health_s: float = 0.0
    statuses: set[int] = field(default_factory=set)

    def text(self) -> str:
        """Return the figures in one line."""
        name = max(self.grown_mib, key=lambda process: self.grown_mib[process])
        return (
            f"{name} grew most, by {self.grown_mib[name]} MiB; /dev/shm by {self.shared_mib} MiB; "
            f"/health took at most {self.health_s:.2f} s"
        )


@dataclass(frozen=True)
class Service:
    """A server and its gateway.

    Attributes:
        server: the server.
        gateway: the gateway's process.
        port: the gateway's port.
    """

    server: EmbeddedServer
    gateway: psutil.Process
    port: int

    def request(self, method: str, path: str, body: bytes = b"", media_type: str = JSON) -> tuple[int, bytes]:
        """Send a request to the gateway; return the status and the body, or 0 where the connection broke."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        try:
            connection.request(method, path, body, {"Content-Type": media_type})
            response = connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException):
            return 0, b""
        finally:
            connection.close()

    def connect(self) -> socket.socket:
        """Open a connection to the gateway."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)

    def own_bytes(self) -> dict[str, int]:
        """Return the memory of each process by its name."""
        processes = [
            psutil.Process(self.server.pid),
            *psutil.Process(self.server.pid).children(recursive=True),
        ]
        found = {"gateway": _bytes(self.gateway)}
        for process in processes:
            with suppress(psutil.Error, OSError):
                found[_name(process)] = _bytes(process)
        return found

    def shared_bytes(self) -> int:
        """Return the bytes in /dev/shm."""
        with suppress(OSError):
            return sum(path.stat().st_blocks * 512 for path in regions(self.server.pid))
        return 0

    @contextmanager
    def watched(self) -> Iterator[Seen]:
        """Watch the processes and `/health` while the block runs."""
        seen, done = Seen(), threading.Event()
        before, shared_before = self.own_bytes(), self.shared_bytes()

        def look_at_memory() -> None:
            for name, held in self.own_bytes().items():
                grown = (held - before.get(name, 0)) // MIB
                seen.grown_mib[name] = max(seen.grown_mib.get(name, 0), grown)
            seen.shared_mib = max(seen.shared_mib, (self.shared_bytes() - shared_before) // MIB)

        def ask_for_health() -> None:
            started_s = time.monotonic()
            seen.statuses.add(self.request("GET", "/health")[0])
            seen.health_s = max(seen.health_s, time.monotonic() - started_s)

        def repeat(look: Callable[[], None], pause_s: float) -> None:
            look()
            while not done.wait(pause_s):
                look()

        looks = ((look_at_memory, 0.05), (ask_for_health, 0.1))
        threads = [threading.Thread(target=repeat, args=look) for look in looks]
        for thread in threads:
            thread.start()
        try:
            yield seen
        finally:
            done.set()
            for thread in threads:
                thread.join()


def _name(process: psutil.Process) -> str:
    arguments = process.cmdline()
    return arguments[8] if "python_backend_stub" in arguments[0] else f"{process.name()} {process.pid}"


def _bytes(process: psutil.Process) -> int:
    with suppress(OSError):
        return _anonymous_bytes(process.pid)
    return 0


@contextmanager
def gateway_of(server: EmbeddedServer, directory: Path, *options: str) -> Iterator[Service]:
    """Run a gateway in a process of its own, as `tritonocr gateway` does."""
    port = free_port()
    command = [sys.executable, "-m", "tritonocr", "gateway", "--url", server.grpc_url, "--port", str(port)]
    jobs = ["--jobs-directory", str(directory / "jobs")]
    with (directory / "gateway.log").open("wb") as log:
        process = subprocess.Popen([*command, *jobs, *options], stdout=log, stderr=log)
    service = Service(server, psutil.Process(process.pid), port)
    try:
        until(lambda: service.request("GET", "/health/ready")[0] == 200, 60, "the gateway is ready")
        yield service
    finally:
        process.terminate()
        process.wait(60)


def form(*parts: tuple[str, bytes]) -> bytes:
    """Return a form; a part whose name ends in `!` is a file."""
    sections = [
        b'--b\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n'
        % (name.rstrip("!").encode(), b'; filename="f"' * name.endswith("!"), content)
        for name, content in parts
    ]
    return b"".join(sections) + b"--b--\r\n"


def repeated(pattern: bytes, length: int = LARGEST_BODY) -> bytes:
    """Return a pattern again and again, up to a length."""
    return pattern * (length // len(pattern))


def reads_on(service: Service) -> bool:
    with OCRClient(service.server.grpc_url, timeout_s=120) as client:
        return len(client.ocr(demo_page())[0]["rec_texts"]) == len(DEMO_LINES)


def check(seen: Seen, happened: Callable[[str], None]) -> None:
    happened(seen.text())
    assert max(seen.grown_mib.values()) < GROWTH_MIB
    assert seen.statuses == {200}
    assert seen.health_s < HEALTH_GUARD_S
