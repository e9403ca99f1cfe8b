"""gRPC, blocking and not."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any, TypeVar

from tritonclient.utils import InferenceServerException

from ._exceptions import translating
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


class GrpcTransport:
    """tritonclient.grpc; its messages may be as large as gRPC allows, 2 GiB."""

    def __init__(self, address: Address, headers: Mapping[str, str] | None, tls: TLS | None = None) -> None:
        import tritonclient.grpc as library

        self._library, self._headers, self._url = library, headers, str(address)
        self._client = library.InferenceServerClient(
            address.host_port, ssl=address.is_encrypted, **(tls.grpc_arguments() if tls else {})
        )

    def submit(self, request: Request, timeout_s: float | None, decode: Decode[_T]) -> Future[_T]:
        """Send one request; cancelling the future cancels the call."""
        future: _CallFuture[_T] = _CallFuture()

        def done(result: Any, error: InferenceServerException | None) -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                with translating(self._url, timeout_s):
                    if error is not None:
                        raise error
                    decoded = decode(named_tensors(result, request))
            except Exception as failure:
                future.set_exception(failure)
            else:
                future.set_result(decoded)

        arguments = call_arguments(self._library, request)
        future.call = self._client.async_infer(
            callback=done, client_timeout=timeout_s, headers=self._headers, **arguments
        )
        return future

    def model_config(self, model_name: str) -> dict[str, Any]:
        """Return the model's configuration as JSON."""
        with translating(self._url, CONTROL_TIMEOUT_S):
            answer = self._client.get_model_config(
                model_name, headers=self._headers, as_json=True, client_timeout=CONTROL_TIMEOUT_S
            )
        config: dict[str, Any] = answer["config"]
        return config

    def model_names(self) -> list[str]:
        """Return the names of the models that are loaded."""
        with translating(self._url, CONTROL_TIMEOUT_S):
            answer = self._client.get_inference_statistics(
                headers=self._headers, as_json=True, client_timeout=CONTROL_TIMEOUT_S
            )
        return loaded_models(answer.get("model_stats", ()))

    def health(self, model_name: str) -> Health:
        """Ask whether the server and the model are ready."""
        options = {"headers": self._headers, "client_timeout": CONTROL_TIMEOUT_S}
        try:
            return Health(
                self._client.is_server_live(**options),
                self._client.is_server_ready(**options),
                self._client.is_model_ready(model_name, **options),
            )
        except InferenceServerException:
            return Health(live=False, ready=False, model_ready=False)

    def close(self) -> None:
        """Close the channel."""
        self._client.close()


class _CallFuture(Future[_T]):
    """A future whose cancellation reaches the gRPC call behind it."""

    call: Any = None

    def cancel(self) -> bool:
        """Cancel the call, unless it is done."""
        cancelled = super().cancel()
        if cancelled and self.call is not None:
            self.call.cancel()
        return cancelled


class AsyncGrpcTransport:
    """tritonclient.grpc.aio."""

    def __init__(self, address: Address, headers: Mapping[str, str] | None, tls: TLS | None = None) -> None:
        import tritonclient.grpc.aio as library

        self._library, self._headers, self._url = library, headers, str(address)
        self._client = library.InferenceServerClient(
            address.host_port, ssl=address.is_encrypted, **(tls.grpc_arguments() if tls else {})
        )

    async def infer(self, request: Request, timeout_s: float | None) -> Tensors:
        """Send one request; cancelling the task cancels the call."""
        with translating(self._url, timeout_s):
            result = await self._client.infer(
                client_timeout=timeout_s, headers=self._headers, **call_arguments(self._library, request)
            )
        return named_tensors(result, request)

    async def model_config(self, model_name: str) -> dict[str, Any]:
        """Return the model's configuration as JSON."""
        with translating(self._url, CONTROL_TIMEOUT_S):
            answer = await self._client.get_model_config(
                model_name, headers=self._headers, as_json=True, client_timeout=CONTROL_TIMEOUT_S
            )
        config: dict[str, Any] = answer["config"]
        return config

    async def model_names(self) -> list[str]:
        """Return the names of the models that are loaded."""
        with translating(self._url, CONTROL_TIMEOUT_S):
            answer = await self._client.get_inference_statistics(
                headers=self._headers, as_json=True, client_timeout=CONTROL_TIMEOUT_S
            )
        return loaded_models(answer.get("model_stats", ()))

    async def health(self, model_name: str) -> Health:
        """Ask whether the server and the model are ready."""
        options = {"headers": self._headers, "client_timeout": CONTROL_TIMEOUT_S}
        try:
            return Health(
                await self._client.is_server_live(**options),
                await self._client.is_server_ready(**options),
                await self._client.is_model_ready(model_name, **options),
            )
        except InferenceServerException:
            return Health(live=False, ready=False, model_ready=False)

    async def close(self) -> None:
        """Close the channel."""
        await self._client.close()
