"""Choose the TCP ports of a server before it starts."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Mapping

from tritonocr_backend.core.errors import ServerError


def free_ports(requested: Mapping[str, tuple[str, int]]) -> list[int]:
    """Return one usable port for each requested port.

    The check prevents a mix-up: another server on the same port would report that it is ready. All ports stay
    bound until the last port is chosen, so all ports are different.

    Args:
        requested: (address, port) by the name of the option; port 0 stands for any free port.

    Raises:
        ServerError: a port is in use, or this process has no permission to use it.
    """
    with contextlib.ExitStack() as stack:
        ports = [stack.enter_context(bound(name, *address)) for name, address in requested.items()]
        return [int(port.getsockname()[1]) for port in ports]


def bound(name: str, host: str, port: int) -> socket.socket:
    """Return a socket that is bound to a port and does not listen yet.

    Raises:
        ServerError: the port is in use, or this process has no permission to use it.
    """
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    # A server may have closed the port a moment ago.
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, port != 0)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        reason = os.strerror(error.errno) if error.errno else error
        raise ServerError(f"{name}: port {port} of {host} cannot be used: {reason}") from None
    return bound
