"""Find a tritonserver of this machine, and read its options from its command line."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from tritonocr_backend.core.errors import ServerError
from tritonocr_backend.server.restrictions import admin_key_of

_LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "0.0.0.0", "[::1]"})  # noqa: S104


@dataclass(frozen=True)
class LocalServer:
    """A tritonserver of this machine.

    Attributes:
        process: the tritonserver process.
        repository: the model repository; the first one if the server has several.
        metrics_url: URL of the Prometheus metrics.
        admin_key: key of the restricted APIs; None if the server requires no key.
    """

    process: psutil.Process
    repository: Path
    metrics_url: str
    admin_key: str | None


def find_local_server(url: str) -> LocalServer | None:
    """Return the server whose gRPC endpoint is `url`; None if no process of this machine is that server.

    Args:
        url: gRPC endpoint of the server, host:port.
    """
    host, _, port = url.rpartition(":")
    if host not in _LOCAL_HOSTS:
        return None
    for process in psutil.process_iter(["name", "cmdline"]):
        if process.info["name"] != "tritonserver":
            continue
        options = parse_command_line(process.info["cmdline"] or [])
        if str(options.grpc_port) == port and options.model_repository:
            return LocalServer(
                process,
                Path(options.model_repository[0]),
                f"http://{options.metrics_address}:{options.metrics_port}/metrics",
                admin_key_of(options.http_restricted_api),
            )
    return None


def local_server(url: str) -> LocalServer:
    """Return the server whose gRPC endpoint is `url`.

    Args:
        url: gRPC endpoint of the server, host:port.

    Raises:
        ServerError: no process of this machine is that server. The server may run on another machine or
            under another user.
    """
    found = find_local_server(url)
    if found is None:
        raise ServerError(
            f"no tritonserver for {url} runs on this machine; state the path of its model repository"
        )
    return found


def parse_command_line(command_line: Sequence[str]) -> argparse.Namespace:
    """Read the options that TritonOCR needs from a tritonserver's command line, with Triton's defaults."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--model-repository", "--model-store", action="append", default=[])
    parser.add_argument("--grpc-port", type=int, default=8001)
    parser.add_argument("--metrics-address", default="localhost")
    parser.add_argument("--metrics-port", type=int, default=8002)
    parser.add_argument("--http-restricted-api", action="append", default=[])
    return parser.parse_known_args(list(command_line))[0]
