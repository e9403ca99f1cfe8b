"""gRPC: KServe's service with tritonclient's generated code, over a channel with our own options.

tritonclient's own clients cannot set the pause between connection attempts, which is up to two minutes.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import grpc
from google.protobuf.json_format import MessageToDict
from tritonclient.grpc import InferResult, service_pb2, service_pb2_grpc
from tritonclient.utils import serialize_byte_tensor

from tritonocr_common.triton_messages import is_not_connected, is_unknown_host

from .._exceptions import (
    ClientStateError,
    DeadlineExceededError,
    ServerUnavailableError,
    deadline_exceeded,
    error_from_status,
    has_not_begun,
    unreachable,
)
from .address import Address
from .base import CONTROL_TIMEOUT_S, Allowance, Health, Tensors, loaded_models, named_tensors
from .protocol import Request, Tensor
from .tls import TLS

_CHANNEL_OPTIONS = {
    "grpc.max_send_message_length": -1,  # no limit but gRPC's own of 2 GiB
    "grpc.max_receive_message_length": -1,
    # gRPC's own pause between connection attempts; its default is up to two minutes. A request that arrives
    # in a pause fails with the error of the last attempt, even if the server listens again. Therefore, the
    # pause is shorter than the pauses between our retries.
    "grpc.initial_reconnect_backoff_ms": 200,
    "grpc.max_reconnect_backoff_ms": 500,
    "grpc.min_reconnect_backoff_ms": 5000,  # time limit for a connection attempt
}
# gRPC's deadline normally ends a call; this margin later, our timer ends a call that gRPC does not end.
_GRACE_S = 1.0

_SERVICE = "/inference.GRPCInferenceService"
_SMALL_REQUEST_BYTES = 1 << 22

_T = TypeVar("_T")

# The process that uses gRPC. gRPC's threads do not exist in a forked child, where each call would hang.
_process_id: int | None = None


class GrpcTransport:
    """A gRPC channel to one server, for messages of up to 2 GiB (gRPC's limit)."""

    streams = True

    def __init__(self, address: Address, headers: Mapping[str, str] | None, tls: TLS | None = None) -> None:
        _check_process()
        self._url = str(address)
        self._metadata = _metadata(headers or {})
        self._channel = _channel(address, tls)
        self._service = service_pb2_grpc.GRPCInferenceServiceStub(self._channel)
        # Without a serializer: `_encoded` serializes large requests outside the event loop.
        self._infer = self._channel.unary_unary(
            f"{_SERVICE}/ModelInfer", response_deserializer=service_pb2.ModelInferResponse.FromString
        )
        self._stream_infer = self._channel.stream_stream(
            f"{_SERVICE}/ModelStreamInfer",
            response_deserializer=service_pb2.ModelStreamInferResponse.FromString,
        )

    async def responses(self, request: Request, timeout_s: float | None) -> AsyncGenerator[Tensors, None]:
        """Send one request and yield its response, or each response of a decoupled model."""
        _check_process()
        message = await _encoded(request)
        metadata = [*self._metadata, *_metadata(request.headers)]
        with self._translating(timeout_s):
            if not request.is_streamed:
                call = self._infer(message, timeout=timeout_s, metadata=metadata)
                answer = await _within(call, timeout_s)
                yield named_tensors(InferResult(answer), request)
                return
            # gRPC's own deadline would also count the time in which the caller works on a page.
            call = self._stream_infer(iter([message]), metadata=metadata)
            allowance = Allowance(timeout_s)
            try:
                while (answer := await _next_of(call, allowance)) is not grpc.aio.EOF:
                    # The header triton_grpc_error would give errors a status. It can crash Triton 2.51.
                    if answer.error_message:
                        raise _from_answer(None, answer.error_message, self._url, timeout_s)
                    yield named_tensors(InferResult(answer.infer_response), request)
            finally:
                call.cancel()

    async def model_config(self, model_name: str) -> dict[str, Any]:
        """Return the model's configuration as JSON."""
        answer = await self._ask("ModelConfig", service_pb2.ModelConfigRequest(name=model_name))
        config: dict[str, Any] = answer.get("config", {})
        return config

    async def model_names(self) -> list[str]:
        """Return the names of the models that are loaded."""
        answer = await self._ask("ModelStatistics", service_pb2.ModelStatisticsRequest())
        return loaded_models(answer.get("model_stats", ()))

    async def health(self, model_name: str) -> Health:
        """Return whether the server and the model are ready."""
        questions = {
            "live": self._ask("ServerLive", service_pb2.ServerLiveRequest()),
            "ready": self._ask("ServerReady", service_pb2.ServerReadyRequest()),
            "model_ready": self._ask("ModelReady", service_pb2.ModelReadyRequest(name=model_name)),
        }
        answers = await asyncio.gather(*questions.values(), return_exceptions=True)
        says_yes = [isinstance(answer, dict) and any(answer.values()) for answer in answers]
        return Health(**dict(zip(questions, says_yes, strict=True)))

    async def close(self) -> None:
        """Close the channel."""
        await self._channel.close()

    async def _ask(self, method: str, message: Any) -> dict[str, Any]:
        _check_process()
        with self._translating(CONTROL_TIMEOUT_S):
            call = getattr(self._service, method)(message, timeout=CONTROL_TIMEOUT_S, metadata=self._metadata)
            answer = await _within(call, CONTROL_TIMEOUT_S)
        fields: dict[str, Any] = MessageToDict(answer, preserving_proto_field_name=True)
        return fields

    @contextmanager
    def _translating(self, timeout_s: float | None) -> Iterator[None]:
        """Translate gRPC's exceptions to ours."""
        try:
            yield
        except asyncio.TimeoutError as error:
            raise deadline_exceeded(self._url, timeout_s) from error
        except grpc.RpcError as error:
            raise _translated(error, self._url, timeout_s) from error


def _channel(address: Address, tls: TLS | None) -> grpc.aio.Channel:
    options = dict[str, Any](_CHANNEL_OPTIONS)
    if not address.is_encrypted:
        return grpc.aio.insecure_channel(address.host_port, list(options.items()))
    if address.certificate_name:
        options["grpc.ssl_target_name_override"] = address.certificate_name
    credentials = grpc.ssl_channel_credentials(**(tls.grpc_arguments() if tls else {}))
    return grpc.aio.secure_channel(address.host_port, credentials, list(options.items()))


def _translated(error: grpc.RpcError, url: str, timeout_s: float | None) -> Exception:
    return _from_answer(str(error.code()), error.details() or "the server gave no reason", url, timeout_s)


def _from_answer(status: str | None, details: str, url: str, timeout_s: float | None) -> Exception:
    translated = error_from_status(status, details)
    if isinstance(translated, DeadlineExceededError):
        return deadline_exceeded(url, timeout_s)
    if type(translated) is not ServerUnavailableError or translated.may_have_begun:
        return translated
    if is_not_connected(details):
        # gRPC's message is "…; last error: UNKNOWN: ipv4:…: …: REASON[: OK]"; only REASON is useful.
        return unreachable(url, details.removesuffix(": OK").rpartition(": ")[2], has_answered=False)
    if is_unknown_host(details):
        return unreachable(url, "the host name is not known", has_answered=False)
    return unreachable(url, str(translated), may_have_begun=not has_not_begun(details))


async def _next_of(call: Any, allowance: Allowance) -> Any:
    with allowance.spending():
        return await _within(call.read(), allowance.left_s, grace_s=0)


async def _within(answer: Awaitable[_T], timeout_s: float | None, grace_s: float = _GRACE_S) -> _T:
    """Wait for an answer, at most for a time; unlike `asyncio.wait_for`, do not wait for its cancellation.

    Raises:
        asyncio.TimeoutError: the time is over.
    """
    task = asyncio.ensure_future(answer)
    task.add_done_callback(
        lambda done: done.cancelled() or done.exception()
    )  # otherwise asyncio warns of an exception that nothing retrieves
    try:
        await asyncio.wait({task}, timeout=None if timeout_s is None else max(timeout_s, 0) + grace_s)
        if not task.done():
            raise asyncio.TimeoutError
        return task.result()
    finally:
        task.cancel()


def _check_process() -> None:
    """Check that gRPC was not used in the parent of this forked process.

    Raises:
        ClientStateError: it was, and gRPC does not work here.
    """
    global _process_id
    if _process_id is None:
        _process_id = os.getpid()
    if _process_id != os.getpid():
        raise ClientStateError(
            "gRPC was used before this process was forked and does not work after a fork; start processes "
            "with the method 'spawn' or 'forkserver', make the first client after the fork, or use an http://"
            " address."
        )


def _metadata(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(name.lower(), value) for name, value in headers.items()]


async def _encoded(request: Request) -> bytes:
    """Serialize a request; a large one in a thread, since 100 MB block the event loop for 0.3 s."""
    if sum(map(_size, request.inputs)) <= _SMALL_REQUEST_BYTES:
        return _serialized(request)
    return await asyncio.to_thread(_serialized, request)


def _size(tensor: Tensor) -> int:
    return sum(map(len, tensor.array.ravel())) if tensor.datatype == "BYTES" else tensor.array.nbytes


def _serialized(request: Request) -> bytes:
    message = service_pb2.ModelInferRequest(model_name=request.model_name, id=request.request_id)
    for tensor in request.inputs:
        message.inputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.array.shape)
        message.raw_input_contents.append(_content(tensor))
    for name in request.outputs:
        message.outputs.add(name=name)
    content: bytes = message.SerializeToString()
    return content


def _content(tensor: Tensor) -> bytes:
    if tensor.datatype == "BYTES":
        content: bytes = serialize_byte_tensor(tensor.array).item()
        return content
    return tensor.array.tobytes()
