"""The seam between the clients and the wire: what a connection can do, and which one an address means."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

from numpy.typing import NDArray

from ._exceptions import InvalidInputError
from ._protocol import Request
from ._tls import TLS

_T = TypeVar("_T")
Tensors = dict[str, NDArray[Any]]
Decode = Callable[[Tensors], _T]

# Health and configuration are answered at once or not at all.
CONTROL_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Health:
    """What the server says of itself.

    Attributes:
        live: the server answers.
        ready: every model that it should serve is loaded.
        model_ready: the `ocr` model takes requests.
    """

    live: bool
    ready: bool
    model_ready: bool


class AsyncTransport(Protocol):
    """What AsyncOCRClient needs of a connection."""

    async def infer(self, request: Request, timeout_s: float | None) -> Tensors:
        """Send one request and return the output tensors by name."""

    async def model_config(self, model_name: str) -> dict[str, Any]:
        """Return the model's configuration as JSON."""

    async def model_names(self) -> list[str]:
        """Return the names of the models that are loaded."""

    async def health(self, model_name: str) -> Health:
        """Ask whether the server and the model are ready; an absent server is not an error."""

    async def close(self) -> None:
        """Close the connection."""


class Transport(Protocol):
    """What OCRClient needs of a connection; usable from several threads."""

    def submit(self, request: Request, timeout_s: float | None, decode: Decode[_T]) -> Future[_T]:
        """Send one request and decode its answer; cancelling the future cancels the request on the server."""

    def model_config(self, model_name: str) -> dict[str, Any]:
        """Return the model's configuration as JSON."""

    def model_names(self) -> list[str]:
        """Return the names of the models that are loaded."""

    def health(self, model_name: str) -> Health:
        """Ask whether the server and the model are ready; an absent server is not an error."""

    def close(self) -> None:
        """Close the connection."""


@dataclass(frozen=True)
class Address:
    """A server's address: `host:port`, `grpc://…`, `grpcs://…`, `http://…` or `https://…`."""

    scheme: str
    host_port: str

    @classmethod
    def parse(cls, url: str) -> Address:
        """Split a URL; an address without a scheme is gRPC's.

        Raises:
            InvalidInputError: the scheme is another one, or there is no host.
        """
        parts = urlsplit(url if "://" in url else f"grpc://{url}")
        if parts.scheme not in ("grpc", "grpcs", "http", "https") or not parts.hostname:
            raise InvalidInputError(
                f"The server address is {url!r}; expected host:port, grpc://, grpcs://, http:// or https://."
            )
        path = parts.path.rstrip("/") if parts.scheme.startswith("http") else ""
        return cls(parts.scheme, parts.netloc + path)

    @property
    def is_http(self) -> bool:
        """Whether it is HTTP's address, not gRPC's."""
        return self.scheme.startswith("http")

    @property
    def is_encrypted(self) -> bool:
        """Whether the connection uses TLS."""
        return self.scheme.endswith("s")

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host_port}"


def _address(url: str, tls: TLS | None) -> Address:
    address = Address.parse(url)
    if tls and not address.is_encrypted:
        raise InvalidInputError(f"tls is given, but {url!r} is not a grpcs:// or https:// address.")
    return address


def connect(url: str, headers: Mapping[str, str] | None, tls: TLS | None = None) -> Transport:
    """Open a blocking transport; nothing is sent yet."""
    address = _address(url, tls)
    if address.is_http:
        from ._http import HttpTransport

        return HttpTransport(address, headers, tls)
    from ._grpc import GrpcTransport

    return GrpcTransport(address, headers, tls)


def connect_async(url: str, headers: Mapping[str, str] | None, tls: TLS | None = None) -> AsyncTransport:
    """Open a transport for the running event loop; nothing is sent yet."""
    address = _address(url, tls)
    if address.is_http:
        from ._http import AsyncHttpTransport

        return AsyncHttpTransport(address, headers, tls)
    from ._grpc import AsyncGrpcTransport

    return AsyncGrpcTransport(address, headers, tls)


def call_arguments(library: Any, request: Request) -> dict[str, Any]:
    """Spell a request in the classes of `tritonclient.grpc` or `tritonclient.http`."""
    inputs = []
    for tensor in request.inputs:
        inputs.append(library.InferInput(tensor.name, list(tensor.array.shape), tensor.datatype))
        inputs[-1].set_data_from_numpy(tensor.array)
    outputs = [library.InferRequestedOutput(name) for name in request.outputs]
    return {
        "model_name": request.model_name,
        "inputs": inputs,
        "outputs": outputs,
        "request_id": request.request_id,
    }


def loaded_models(statistics: Iterable[Mapping[str, Any]]) -> list[str]:
    """Take the names of the loaded models out of Triton's statistics, an entry a version.

    Its repository index is not for every client to see where models may be loaded.
    """
    return list(dict.fromkeys(entry["name"] for entry in statistics))


def named_tensors(result: Any, request: Request) -> Tensors:
    """Take the outputs that were asked for out of tritonclient's result."""
    arrays = {name: result.as_numpy(name) for name in request.outputs}
    return {name: array for name, array in arrays.items() if array is not None}
