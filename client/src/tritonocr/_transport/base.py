"""What the clients need of a connection, and what all connections share."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

from .protocol import Request

Tensors = dict[str, NDArray[Any]]

# Health and configuration are answered at once or not at all.
CONTROL_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Health:
    """What the server says of itself; of several servers: whether any of them does.

    Attributes:
        live: the server answers.
        ready: every model that it should serve is loaded.
        model_ready: the `ocr` model takes requests.
    """

    live: bool
    ready: bool
    model_ready: bool


class Transport(Protocol):
    """What the clients need of a connection; it belongs to one event loop.

    Attributes:
        streams: whether a request to a decoupled model, with several responses, can be sent.
    """

    streams: bool

    def responses(self, request: Request, timeout_s: float | None) -> AsyncGenerator[Tensors, None]:
        """Send one request and yield the output tensors of each response, by name.

        Closing the generator, or cancelling the task, stops the work on the server.

        Args:
            request: of a model with one response or, where `streams` is true, with several.
            timeout_s: seconds to wait for the server in all; the time between responses that the caller
                takes for itself does not count.
        """

    async def model_config(self, model_name: str) -> dict[str, Any]:
        """Return the model's configuration as JSON."""

    async def model_names(self) -> list[str]:
        """Return the names of the models that are loaded."""

    async def health(self, model_name: str) -> Health:
        """Ask whether the server and the model are ready; an absent server is not an error."""

    async def close(self) -> None:
        """Close the connection."""


class Allowance:
    """Seconds that may be spent waiting for servers; what lies between the waits does not count.

    Attributes:
        left_s: what is left; None: any time.
    """

    def __init__(self, timeout_s: float | None) -> None:
        self.left_s = timeout_s

    @property
    def is_spent(self) -> bool:
        """Whether nothing is left."""
        return self.left_s is not None and self.left_s <= 0

    @contextmanager
    def spending(self) -> Iterator[None]:
        """Take the time inside off what is left."""
        started_s = time.monotonic()
        try:
            yield
        finally:
            if self.left_s is not None:
                self.left_s -= time.monotonic() - started_s


def loaded_models(statistics: Iterable[Mapping[str, Any]]) -> list[str]:
    """Take the names of the loaded models out of Triton's statistics, an entry a version.

    Its repository index is not for every client to see where models may be loaded.
    """
    return list(dict.fromkeys(entry["name"] for entry in statistics))


def named_tensors(result: Any, request: Request) -> Tensors:
    """Take the outputs that were asked for out of tritonclient's result."""
    arrays = {name: result.as_numpy(name) for name in request.outputs}
    return {name: array for name, array in arrays.items() if array is not None}
