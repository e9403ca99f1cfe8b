"""gRPC: KServe's service as tritonclient generates it, over a channel of our own.

tritonclient's own clients cannot set how soon a lost connection is tried again, which may take two minutes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import grpc
from google.protobuf.json_format import MessageToDict
from tritonclient.grpc import InferResult, service_pb2, service_pb2_grpc
from tritonclient.utils import serialize_byte_tensor

from .._exceptions import (
    DeadlineExceededError,
    ServerUnavailableError,
    deadline_exceeded,
    error_from_status,
    says_that_it_stops,
    unreachable,
)
from .address import Address
from .base import CONTROL_TIMEOUT_S, Allowance, Health, Tensors, loaded_models, named_tensors
from .protocol import Request, Tensor
from .tls import TLS

_CHANNEL_OPTIONS = {
    "grpc.max_send_message_length": -1,  # gRPC's own limit stays, 2 GiB
    "grpc.max_receive_message_length": -1,
    # A server that comes back is found again within seconds, not after gRPC's two minutes.
    "grpc.initial_reconnect_backoff_ms": 200,
    "grpc.max_reconnect_backoff_ms": 2000,
    "grpc.min_reconnect_backoff_ms": 5000,  # how long a connection may take to come about
}
# Without it Triton writes a stream's errors as messages, which carry no status.
_STATUS_IN_STREAMS = ("triton_grpc_error", "true")
_NOT_CONNECTED = ("failed to connect", "DNS")


class GrpcTransport:
    """A gRPC channel to one server; its messages may be as large as gRPC allows, 2 GiB."""

    streams = True

    def __init__(self, address: Address, headers: Mapping[str, str] | None, tls: TLS | None = None) -> None:
        self._url = str(address)
        self._metadata = _metadata(headers or {})
        self._channel = _channel(address, tls)
        self._service = service_pb2_grpc.GRPCInferenceServiceStub(self._channel)

    async def responses(self, request: Request, timeout_s: float | None) -> AsyncGenerator[Tensors, None]:
        """Send one request and yield its response, or each response of a decoupled model."""
        message = _message(request)
        metadata = [*self._metadata, *_metadata(request.headers)]
        with self._translating(timeout_s):
            if not request.is_streamed:
                answer = await self._service.ModelInfer(message, timeout=timeout_s, metadata=metadata)
                yield named_tensors(InferResult(answer), request)
                return
            # The deadline is kept here: the server's would go on while the caller works on a page.
            metadata.append(_STATUS_IN_STREAMS)
            call = self._service.ModelStreamInfer(iter([message]), metadata=metadata)
            allowance = Allowance(timeout_s)
            try:
                while (answer := await _next_of(call, allowance)) is not grpc.aio.EOF:
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
        """Ask whether the server and the model are ready."""
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
        with self._translating(CONTROL_TIMEOUT_S):
            answer = await getattr(self._service, method)(
                message, timeout=CONTROL_TIMEOUT_S, metadata=self._metadata
            )
        fields: dict[str, Any] = MessageToDict(answer, preserving_proto_field_name=True)
        return fields

    @contextmanager
    def _translating(self, timeout_s: float | None) -> Iterator[None]:
        """Turn what gRPC raises into our exceptions."""
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
    details = error.details() or "the server gave no reason"
    translated = error_from_status(str(error.code()), details)
    if isinstance(translated, DeadlineExceededError):
        return deadline_exceeded(url, timeout_s)
    if type(translated) is not ServerUnavailableError:
        return translated
    if details.startswith(_NOT_CONNECTED):
        # Without gRPC's account of who told whom: "…; last error: UNKNOWN: ipv4:…: …: REASON[: OK]".
        return unreachable(url, details.removesuffix(": OK").rpartition(": ")[2])
    return unreachable(url, details, may_have_begun=not says_that_it_stops(details))


async def _next_of(call: Any, allowance: Allowance) -> Any:
    with allowance.spending():
        return await asyncio.wait_for(call.read(), allowance.left_s)


def _metadata(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(name.lower(), value) for name, value in headers.items()]


def _message(request: Request) -> Any:
    message = service_pb2.ModelInferRequest(model_name=request.model_name, id=request.request_id)
    for tensor in request.inputs:
        message.inputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.array.shape)
        message.raw_input_contents.append(_content(tensor))
    for name in request.outputs:
        message.outputs.add(name=name)
    return message


def _content(tensor: Tensor) -> bytes:
    if tensor.datatype == "BYTES":
        content: bytes = serialize_byte_tensor(tensor.array).item()
        return content
    return tensor.array.tobytes()
