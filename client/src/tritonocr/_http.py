"""HTTP, not blocking, and blocking through an event loop of its own. Needs the extra [http]."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Mapping
from concurrent.futures import Future
from typing import Any, TypeVar

from tritonclient.utils import InferenceServerException

from ._exceptions import deadline_exceeded, missing_extra, translating, unreachable
from ._protocol import Request
from ._transports import CONTROL_TIMEOUT_S, Address, Decode, Health, Tensors, call_arguments, named_tensors

_T = TypeVar("_T")


class AsyncHttpTransport:
    """tritonclient.http.aio, which is aiohttp."""

    def __init__(self, address: Address, headers: Mapping[str, str] | None) -> None:
        try:
            import aiohttp
            import tritonclient.http.aio as library
        except ImportError as error:
            raise missing_extra("http", "An http:// address", error) from error

        self._library, self._headers, self._url = library, headers, str(address)
        self._connection_error: type[Exception] = aiohttp.ClientError
        # Each call brings its own timeout; the session's would cut the longest ones short.
        self._client = library.InferenceServerClient(
            address.host_port, ssl=address.is_encrypted, conn_timeout=None
        )

    async def infer(self, request: Request, timeout_s: float | None) -> Tensors:
        """Send one request; cancelling the task closes its connection."""
        call = self._client.infer(headers=self._headers, **call_arguments(self._library, request))
        return named_tensors(await self._answer(call, timeout_s), request)

    async def model_config(self, model_name: str) -> dict[str, Any]:
        """Return the model's configuration as JSON."""
        call = self._client.get_model_config(model_name, headers=self._headers)
        config: dict[str, Any] = await self._answer(call, CONTROL_TIMEOUT_S)
        return config

    async def health(self, model_name: str) -> Health:
        """Ask whether the server and the model are ready."""
        calls = (
            self._client.is_server_live(headers=self._headers),
            self._client.is_server_ready(headers=self._headers),
            self._client.is_model_ready(model_name, headers=self._headers),
        )
        try:
            answers = await asyncio.wait_for(asyncio.gather(*calls), CONTROL_TIMEOUT_S)
        except (self._connection_error, asyncio.TimeoutError, InferenceServerException):
            return Health(live=False, ready=False, model_ready=False)
        return Health(*answers)

    async def close(self) -> None:
        """Close the session."""
        await self._client.close()

    async def _answer(self, call: Coroutine[Any, Any, _T], timeout_s: float | None) -> _T:
        try:
            with translating(self._url, timeout_s):
                return await asyncio.wait_for(call, timeout_s)
        except asyncio.TimeoutError as error:
            raise deadline_exceeded(self._url, timeout_s) from error
        except self._connection_error as error:
            raise unreachable(self._url, error) from error


class HttpTransport:
    """The asynchronous transport behind an event loop in a thread.

    tritonclient's blocking HTTP client is bound to one thread and cannot cancel; this one can.
    """

    def __init__(self, address: Address, headers: Mapping[str, str] | None) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tritonocr-http", daemon=True)
        self._thread.start()
        self._transport = self._run(_opened(address, headers))

    def submit(self, request: Request, timeout_s: float | None, decode: Decode[_T]) -> Future[_T]:
        """Send one request; cancelling the future closes its connection."""

        async def call() -> _T:
            return decode(await self._transport.infer(request, timeout_s))

        return asyncio.run_coroutine_threadsafe(call(), self._loop)

    def model_config(self, model_name: str) -> dict[str, Any]:
        """Return the model's configuration as JSON."""
        return self._run(self._transport.model_config(model_name))

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


async def _opened(address: Address, headers: Mapping[str, str] | None) -> AsyncHttpTransport:
    """Make the transport on the loop that it will live on."""
    return AsyncHttpTransport(address, headers)
