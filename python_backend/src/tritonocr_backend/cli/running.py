"""Run the servers and the gateway of `tritonocr serve` until a signal or an error."""

from __future__ import annotations

import contextlib
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType

from tritonocr_backend.cli.reporting import say
from tritonocr_backend.server.embedded import EmbeddedServer
from tritonocr_backend.server.gateway_process import GatewayProcess
from tritonocr_backend.server.reload_socket import ReloadSocket, Report
from tritonocr_backend.server.replicas import Replicas

CHECK_EVERY_S = 1.0
"""Seconds between two checks whether the servers run; a request to reload is handled at once."""

Prepare = Callable[[Report], Path]
"""Writes a repository with the settings of this moment."""


def run(
    replicas: Replicas,
    listeners: Sequence[socket.socket],
    prepare: Prepare,
    scratch: Path,
    started_s: float,
) -> None:
    """Start the servers and then the gateways, print the ready line, and reload on request.

    Args:
        replicas: the servers, not started.
        listeners: one bound socket per gateway.
        prepare: writes the repository of a reload.
        scratch: temporary folder of this process, for the socket of `tritonocr reload`.
        started_s: start of the command by the monotonic clock.

    Raises:
        ServerError: a server or a gateway does not start, or no server could be restarted.
    """
    with replicas, contextlib.ExitStack() as beside:
        gateways = [beside.enter_context(_gateway(replicas.servers, listener)) for listener in listeners]
        requests = beside.enter_context(ReloadSocket(scratch))
        say(_ready_line(replicas.servers, gateways, time.monotonic() - started_s))
        while True:
            replicas.check()
            requests.handle(lambda report: replicas.reload(prepare(report), report), CHECK_EVERY_S)


def _ready_line(servers: Sequence[EmbeddedServer], rest: list[str], seconds: float) -> str:
    addresses = [
        f"{server.options.name} gRPC {server.grpc_url}, HTTP {server.http_url}, metrics {server.metrics_url}"
        for server in servers
    ]
    addresses = [address.lstrip() for address in addresses] + [f"gateway {url}" for url in rest]
    return f"TritonOCR is ready after {seconds:.1f} s: {', '.join(addresses)}. Ctrl-C stops it."


@contextlib.contextmanager
def stop_on_signal() -> Iterator[None]:
    """Leave quietly on Ctrl-C and SIGTERM, by way of every exit handler."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    earlier = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except KeyboardInterrupt:
        say("TritonOCR has stopped.")
    finally:
        signal.signal(signal.SIGTERM, earlier)


@contextlib.contextmanager
def _gateway(servers: Sequence[EmbeddedServer], listener: socket.socket) -> Iterator[str]:
    """Run the gateway as a separate process that is restarted by itself, and yield its address."""
    options, tls = servers[0].options, servers[0].options.tls
    # Beside a gRPC port with TLS, whose certificate names the machine as others know it, HTTP is the way.
    url = ",".join(f"http://{server.http_url}" if tls else server.grpc_url for server in servers)
    files = ["--tls-certificate", str(tls.certificate), "--tls-key", str(tls.key)] if tls else []
    gateway = GatewayProcess(
        listener,
        ["--url", url, *files, "--log-format", options.log_format],
        is_encrypted=tls is not None,
        ready_timeout_s=options.ready_timeout_s,
    )
    try:
        gateway.start()
        yield gateway.url
    finally:
        gateway.stop()
