"""The interface of a connection, and what all connections share."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

from .protocol import Request

Tensors = dict[str, NDArray[Any]]

# Time limit for questions about health and configuration, which a server answers at once.
CONTROL_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Health:
    """The health of a server; for several servers, each value is true if it is true for one of them.

    Attributes:
        live: the server answers.
        ready: all models that the server should serve are loaded.
        model_ready: the `ocr` model accepts requests.
    """

    live: bool
    ready: bool
    model_ready: bool


class Transport(Protocol):
    """A connection to one or several servers; it belongs to one event loop.

    Attributes:
        streams: whether the protocol supports decoupled models, which send several responses per request.
    """

    streams: bool

    def responses(self, request: Request, timeout_s: float | None) -> AsyncGenerator[Tensors, None]:
        """Send one request and yield the output tensors of each response, by name.

        Closing the generator, or cancelling the task, cancels the request on the server.

        Args:
            request: a request to a model with one response or, if `streams` is true, several responses.
            timeout_s: total seconds to wait for the server; the caller's own time between responses does not
                count.
        """

    async def model_config(self, model_name: str) -> dict[str, Any]:
        """Return the model's configuration as JSON."""

    async def model_names(self) -> list[str]:
        """Return the names of the models that are loaded."""

    async def health(self, model_name: str) -> Health:
        """Return whether the server and the model are ready; an absent server is not an error."""

    async def close(self) -> None:
        """Close the connection."""


class Allowance:
    """The time that a request may wait for servers; the time between the waits does not count.

    Attributes:
        left_s: remaining seconds; None for no limit.
    """

    def __init__(self, timeout_s: float | None) -> None:
        self.left_s = timeout_s

    @property
    def is_spent(self) -> bool:
        """Whether no time is left."""
        return self.left_s is not None and self.left_s <= 0

    @contextmanager
    def spending(self) -> Iterator[None]:
        """Subtract the time inside the block from the remaining time."""
        started_s = time.monotonic()
        try:
            yield
        finally:
            if self.left_s is not None:
                self.left_s -= time.monotonic() - started_s


def loaded_models(statistics: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the names of the loaded models in Triton's statistics, which have one entry per version.

    The repository index is not used, because a server may show it only to its administrator.
    """
    return list(dict.fromkeys(entry["name"] for entry in statistics))


def named_tensors(result: Any, request: Request) -> Tensors:
    """Return the requested output tensors of tritonclient's result by name."""
    arrays = {name: result.as_numpy(name) for name in request.outputs}
    return {name: array for name, array in arrays.items() if array is not None}
