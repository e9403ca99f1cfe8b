"""TCP ports to listen on, known before the server that will."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Mapping

from tritonocr_backend.core.errors import ServerError


def free_ports(wanted: Mapping[str, tuple[str, int]]) -> list[int]:
    """Ports that can be listened on, free ones where 0 is asked for; all held open until each is known.

    Another server on one of them would answer that it is ready, and be taken for ours.

    Args:
        wanted: (address, port) by the option that asks for it.

    Raises:
        ServerError: a port is in use or may not be used.
    """
    with contextlib.ExitStack() as stack:
        bound = [stack.enter_context(_bound(name, *address)) for name, address in wanted.items()]
        return [int(one.getsockname()[1]) for one in bound]


def _bound(name: str, host: str, port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, port != 0)  # just left by a server is free
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        reason = os.strerror(error.errno) if error.errno else error
        raise ServerError(f"{name}: {port} of {host} cannot be used: {reason}") from None
    return bound
