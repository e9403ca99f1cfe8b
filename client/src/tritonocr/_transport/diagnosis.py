"""Find out what answers at an address that does not behave like the expected server."""

from __future__ import annotations

import asyncio
import http.client
import socket

from .._exceptions import ModelNotFoundError, OverloadedError, ServerError, ServerUnavailableError
from .address import Address

_TIMEOUT_S = 2.0
_DEFAULT_GRPC_PORT, _DEFAULT_HTTP_PORT = 8001, 8000
# The start of an HTTP/2 connection, with an empty SETTINGS frame (RFC 9113, section 3.4).
_HTTP2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"
_SETTINGS_FRAME = 4


async def with_diagnosis(error: ServerError, address: Address) -> ServerError:
    """Return the error with a remark on what answers at the address, or the same error.

    Args:
        error: an error of a request to the address.
        address: the address of the one server.
    """
    if address.is_encrypted or isinstance(error, OverloadedError):
        return error
    if not address.is_http and (not isinstance(error, ServerUnavailableError) or error.has_answered):
        return error
    remark = await asyncio.to_thread(_remark, address)
    if remark is None:
        return error
    if isinstance(error, ServerUnavailableError):
        return error.with_remark(remark)
    return (
        type(error)(f"{str(error).rstrip('.')}. {remark}") if isinstance(error, ModelNotFoundError) else error
    )


def _remark(address: Address) -> str | None:
    host, port = address.host_and_port()
    try:
        kind = what_answers(host, port)
    except (OSError, http.client.HTTPException):
        return None
    if kind == "triton":
        if address.is_http:
            return None
        return (
            f"Triton's HTTP port answers there: use http://{host}:{port}, or Triton's gRPC port "
            f"(by default {_DEFAULT_GRPC_PORT})."
        )
    if kind == "gateway":
        return (
            "The gateway (POST /ocr) answers there: use the address of the server itself, by default "
            f"port {_DEFAULT_GRPC_PORT} (gRPC) or {_DEFAULT_HTTP_PORT} (HTTP)."
        )
    if kind == "grpc":
        return f"A gRPC server answers there: use grpc://{host}:{port}." if address.is_http else None
    return "An HTTP server that is not Triton answers there."


def what_answers(host: str, port: int) -> str:
    """Return `grpc`, `triton` (its HTTP port), `gateway` or `http`.

    Raises:
        OSError: nothing answers.
        http.client.HTTPException: the answer is neither HTTP/1 nor HTTP/2.
    """
    if _speaks_http2(host, port):
        return "grpc"
    if '"triton"' in _get(host, port, "/v2"):
        return "triton"
    return "gateway" if "TritonOCR" in _get(host, port, "/openapi.json") else "http"


def _speaks_http2(host: str, port: int) -> bool:
    with socket.create_connection((host, port), _TIMEOUT_S) as connection:
        connection.sendall(_HTTP2_PREFACE)
        start = connection.recv(9)
    return len(start) >= 4 and start[3] == _SETTINGS_FRAME


def _get(host: str, port: int, path: str) -> str:
    connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", path)
        return connection.getresponse().read(1 << 20).decode("utf-8", "replace")
    finally:
        connection.close()
