"""Choose the TCP ports of a server before it starts."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Mapping

from tritonocr_backend.core.errors import ServerError


def free_ports(wanted: Mapping[str, tuple[str, int]]) -> list[int]:
    """Return one usable port for each wanted port; 0 is replaced by a free port.

    The check is necessary: another server on the port would answer that it is ready, and would be mistaken
    for the new one. All ports stay bound until all are chosen, so they differ from each other.

    Args:
        wanted: (address, port) by the name of the option.

    Raises:
        ServerError: a port is in use, or this process has no permission to use it.
    """
    with contextlib.ExitStack() as stack:
        bound = [stack.enter_context(_bound(name, *address)) for name, address in wanted.items()]
        return [int(one.getsockname()[1]) for one in bound]


def _bound(name: str, host: str, port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    bound.setsockopt(
        socket.SOL_SOCKET, socket.SO_REUSEADDR, port != 0
    )  # a port that a server has just closed
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        reason = os.strerror(error.errno) if error.errno else error
        raise ServerError(f"{name}: {port} of {host} cannot be used: {reason}") from None
    return bound
