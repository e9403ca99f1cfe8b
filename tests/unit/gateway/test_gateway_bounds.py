"""Bounds of the gateway's memory and time: unread responses, shutdown, Base64 and URL-encoded bodies."""

from __future__ import annotations

import asyncio
import select
import signal
import socket
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from running_gateway import free_port

from tritonocr_gateway.errors import InvalidRequestError
from tritonocr_gateway.files import from_base64
from tritonocr_gateway.sending import in_pieces

HALF_OF_A_REQUEST = (
    b"POST /ocr HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
)


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def test_an_unread_response_is_held_once() -> None:
    """The transport buffers at most one piece of a body; uvicorn alone gives it a second copy of all."""
    sizes: list[int] = []
    sent: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": bytes(1_000_001)})

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(in_pieces(app, sizes.append)({}, None, send))
    pieces = [message["body"] for message in sent[1:]]
    assert b"".join(pieces) == bytes(1_000_001)
    assert max(map(len, pieces)) <= 1 << 18
    assert [message.get("more_body", False) for message in sent[1:]] == [True, True, True, False]
    assert (max(sizes), sizes[-1]) == (1_000_001, 0)


def test_the_gateway_stops_at_once_although_clients_stall() -> None:
    """200 half-sent bodies held a stopping gateway for the 30 s that requests in flight have."""
    port = str(free_port())
    command = [sys.executable, "-m", "tritonocr", "gateway", "--port", port, "--disabled-adapters"]
    process = subprocess.Popen([*command, "paddleocr_jobs"], stderr=subprocess.DEVNULL)
    with ExitStack() as stack:
        stack.callback(process.kill)
        until(lambda: _responds(f"http://127.0.0.1:{port}/health"), "the gateway starts")
        stalled = [socket.create_connection(("127.0.0.1", int(port))) for _ in range(200)]
        for connection in stalled:
            stack.enter_context(connection)
            connection.sendall(HALF_OF_A_REQUEST)
        until(lambda: len(select.select(stalled, [], [], 0)[0]) >= 72, "all bodies have begun")
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == -signal.SIGTERM
        statuses = {connection.recv(12) for connection in stalled}
    assert statuses == {b"HTTP/1.1 429", b"HTTP/1.1 503"}, "the client may send it again"


def _responds(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.parametrize("line_break", ["", "\n", "\r\n"])
def test_base64_in_short_lines_needs_bounded_memory(line_break: str) -> None:
    """Text of 12 MB with a line break after each four characters took 13 bytes per byte."""
    text = f"QUJD{line_break}" * (12_000_000 // (4 + len(line_break)))
    tracemalloc.start()
    with pytest.raises(InvalidRequestError, match="Base64 again"):
        from_base64(text)
    assert tracemalloc.get_traced_memory()[1] < 5 * len(text)
    tracemalloc.stop()


def test_a_url_encoded_body_has_bounded_escapes(serve: Any) -> None:
    body = b"image_data=" + b"%41" * 100_000
    headers = {"content-type": "application/x-www-form-urlencoded"}
    response = serve().post("/rapidocr/ocr", content=body, headers=headers)
    assert response.status_code == 400
    assert "too many percent-encoded" in response.text
