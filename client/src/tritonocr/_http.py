"""HTTP, not blocking, and blocking through an event loop of its own. Needs the extra [http]."""

from __future__ import annotations

import asyncio
import io
import json
import threading
from collections.abc import Coroutine, Mapping
from concurrent.futures import Future
from http import HTTPStatus
from typing import Any, TypeVar

from ._exceptions import (
    TritonOCRError,
    deadline_exceeded,
    error_from_status,
    missing_extra,
    unreachable,
)
from ._protocol import Request
from ._tls import TLS
from ._transports import (
    CONTROL_TIMEOUT_S,
    Address,
    Decode,
    Health,
    Tensors,
    call_arguments,
    loaded_models,
    named_tensors,
)

_T = TypeVar("_T")
_JSON_SIZE = "Inference-Header-Content-Length"  # Triton's binary tensor data extension


class AsyncHttpTransport:
    """KServe's HTTP protocol with Triton's binary tensors: tritonclient encodes, aiohttp carries.

    tritonclient's own asynchronous client has no timeout a call and hands bodies over in one piece.
    """

    def __init__(self, address: Address, headers: Mapping[str, str] | None, tls: TLS | None = None) -> None:
        try:
            import aiohttp
            import tritonclient.http as library
        except ImportError as error:
            raise missing_extra("http", "An http:// address", error) from error

        self._library, self._aiohttp, self._url = library, aiohttp, str(address)
        connector = aiohttp.TCPConnector(ssl=tls.context() if tls else True)
        self._session = aiohttp.ClientSession(headers=headers, connector=connector)

    async def infer(self, request: Request, timeout_s: float | None) -> Tensors:
        """Send one request; cancelling the task closes its connection."""
        arguments = call_arguments(self._library, request)
        path = f"v2/models/{arguments.pop('model_name')}/infer"
        body, json_size = self._library.InferenceServerClient.generate_request_body(**arguments)
        headers = {_JSON_SIZE: str(json_size)} if json_size else {}
        content, answered = await self._call("POST", path, timeout_s, data=io.BytesIO(body), headers=headers)
        header_length = answered.get(_JSON_SIZE)
        result = self._library.InferResult.from_response_body(
            content, header_length=int(header_length) if header_length else None
        )
        return named_tensors(result, request)

    async def model_config(self, model_name: str) -> dict[str, Any]:
        """Return the model's configuration as JSON."""
        content, _ = await self._call("GET", f"v2/models/{model_name}/config", CONTROL_TIMEOUT_S)
        config: dict[str, Any] = json.loads(content)
        return config

    async def model_names(self) -> list[str]:
        """Return the names of the models that are loaded."""
        content, _ = await self._call("GET", "v2/models/stats", CONTROL_TIMEOUT_S)
        return loaded_models(json.loads(content)["model_stats"])

    async def health(self, model_name: str) -> Health:
        """Ask whether the server and the model are ready."""
        paths = ("v2/health/live", "v2/health/ready", f"v2/models/{model_name}/ready")
        return Health(*await asyncio.gather(*map(self._is_ok, paths)))

    async def close(self) -> None:
        """Close the session."""
        await self._session.close()

    async def _is_ok(self, path: str) -> bool:
        try:
            await self._call("GET", path, CONTROL_TIMEOUT_S)
        except TritonOCRError:
            return False
        return True

    async def _call(
        self, method: str, path: str, timeout_s: float | None, **arguments: Any
    ) -> tuple[bytes, Mapping[str, str]]:
        """Send a request; return the body and the headers of a 200."""
        timeout = self._aiohttp.ClientTimeout(total=timeout_s)
        try:
            async with self._session.request(
                method, f"{self._url}/{path}", timeout=timeout, **arguments
            ) as response:
                content = await response.read()
        except asyncio.TimeoutError as error:
            raise deadline_exceeded(self._url, timeout_s) from error
        except self._aiohttp.ClientError as error:
            raise unreachable(self._url, error) from error
        if response.status != HTTPStatus.OK:
            raise error_from_status(str(response.status), _sentence(content, response.status))
        return content, response.headers


def _sentence(content: bytes, status: int) -> str:
    """The server's sentence in an error's body, `{"error": sentence}`, or the body where it is none."""
    try:
        return str(json.loads(content)["error"])
    except (ValueError, KeyError, TypeError):
        return content.decode(errors="replace").strip() or f"the server answered {status}"


class HttpTransport:
    """The asynchronous transport behind an event loop in a thread.

    tritonclient's blocking HTTP client is bound to one thread and cannot cancel; this one can.
    """

    def __init__(self, address: Address, headers: Mapping[str, str] | None, tls: TLS | None = None) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tritonocr-http", daemon=True)
        self._thread.start()
        self._transport = self._run(_opened(address, headers, tls))

    def submit(self, request: Request, timeout_s: float | None, decode: Decode[_T]) -> Future[_T]:
        """Send one request; cancelling the future closes its connection."""

        async def call() -> _T:
            return decode(await self._transport.infer(request, timeout_s))

        return asyncio.run_coroutine_threadsafe(call(), self._loop)

    def model_config(self, model_name: str) -> dict[str, Any]:
        """Return the model's configuration as JSON."""
        return self._run(self._transport.model_config(model_name))

    def model_names(self) -> list[str]:
        """Return the names of the models that are loaded."""
        return self._run(self._transport.model_names())

    def health(self, model_name: str) -> Health:
        """Ask whether the server and the model are ready."""
        return self._run(self._transport.health(model_name))

    def close(self) -> None:
        """Close the session and end the thread."""
        if self._loop.is_closed():
            return
        self._run(self._transport.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()


async def _opened(address: Address, headers: Mapping[str, str] | None, tls: TLS | None) -> AsyncHttpTransport:
    """Make the transport on the loop that it will live on."""
    return AsyncHttpTransport(address, headers, tls)
