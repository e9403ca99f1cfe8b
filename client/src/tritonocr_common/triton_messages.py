"""Messages of Triton and gRPC that state what no status states.

Only this module compares texts of Triton and gRPC. `tests/contract/test_triton_messages.py` finds each text
in the files of tritonserver and gRPC: the test fails if a new version changes a text.
"""

from __future__ import annotations

from typing import Final

QUEUE_FULL: Final = "Exceeds maximum queue size"
QUEUE_TIMEOUT: Final = "Request timeout expired"
"""UNAVAILABLE, as for a server that stops. A call from model to model reports a full queue as INTERNAL."""

STOPPING: Final = ("Server is stopping", "Server not ready", "has no available versions")
"""Under several statuses: a call to a model that was unloaded first fails with INTERNAL."""

SHARED_MEMORY_FULL: Final = "Failed to increase the shared memory pool size"
"""An exception of the Python backend's stub, or INTERNAL."""

PROCESS_DIED: Final = "' is not healthy."
"""INTERNAL: the process of a model died, or does not answer Triton, while it had the request."""

REFUSED: Final = ("Connection refused", "Connect call failed")
"""The operating system's and asyncio's texts: no process listens on the port."""

CUT_OFF: Final = ("Connection reset by peer", "Socket closed")
"""The operating system's and gRPC's texts: the connection was accepted, and closed without an answer."""

UNKNOWN_MODEL: Final = "Request for unknown model"
"""NOT_FOUND; an error of a stream has no status."""

MODEL_CONTROL_OFF: Final = "explicit model load / unload is not allowed"
"""UNAVAILABLE, as for a server that does not answer."""

ADMIN_KEY_REQUIRED: Final = ("This protocol is restricted", "This API is restricted")
"""gRPC's UNAVAILABLE and HTTP's 403."""

NOT_CONNECTED: Final = "failed to connect"
"""UNAVAILABLE of gRPC itself: the request was not sent."""

UNKNOWN_HOST: Final = ("errors resolving", "DNS resolution failed")
"""UNAVAILABLE of gRPC itself, in new and old versions: the host name has no address."""


def is_overload(message: str) -> bool:
    """Return whether a queue of Triton rejected the request, which may succeed later."""
    return _contains(message, QUEUE_FULL, QUEUE_TIMEOUT)


def is_stopping(message: str) -> bool:
    """Return whether the server stops and did not process the request."""
    return _contains(message, *STOPPING)


def is_shared_memory_full(message: str) -> bool:
    """Return whether a model process found no room in shared memory."""
    return _contains(message, SHARED_MEMORY_FULL)


def is_process_dead(message: str) -> bool:
    """Return whether the process of a model died while it had the request."""
    return _contains(message, PROCESS_DIED)


def is_unknown_model(message: str) -> bool:
    """Return whether the server has no model of the requested name."""
    return _contains(message, UNKNOWN_MODEL)


def is_refused(message: str) -> bool:
    """Return whether no process listens on the port of the server."""
    return _contains(message, *REFUSED)


def is_cut_off(message: str) -> bool:
    """Return whether the connection was closed before the server answered, as when its process ends."""
    return _contains(message, *CUT_OFF)


def is_model_control_off(message: str) -> bool:
    """Return whether the server runs without explicit model control."""
    return _contains(message, MODEL_CONTROL_OFF)


def is_admin_key_required(message: str) -> bool:
    """Return whether the API is restricted to requests with the admin key."""
    return _contains(message, *ADMIN_KEY_REQUIRED)


def is_not_connected(message: str) -> bool:
    """Return whether gRPC reached no server."""
    return message.startswith(NOT_CONNECTED)


def is_unknown_host(message: str) -> bool:
    """Return whether gRPC found no address for the host name."""
    return message.startswith(UNKNOWN_HOST)


def _contains(message: str, *texts: str) -> bool:
    return any(text.lower() in message.lower() for text in texts)
