"""Bounds of the gateway's memory and time: bodies, unread responses, shutdown, Base64 and URL encoding."""

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
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from fake_triton import picture
from running_gateway import free_port

from tritonocr_gateway.errors import InvalidRequestError
from tritonocr_gateway.files import from_base64
from tritonocr_gateway.request_body import JSON_TYPE, fetch
from tritonocr_gateway.sending import in_pieces
from tritonocr_gateway.uploads import HeldBodyMiddleware, Upload, UploadLimiter

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


HELD_BYTES = 100_000


def _post(client: httpx.Client, size: int, timeout_s: float = 30) -> httpx.Response:
    """Send a picture with `size` bytes in all."""
    content = picture().ljust(size, b"\0")
    return httpx.post(
        f"{client.base_url}/ocr?visualize=false",
        content=content,
        headers={"content-type": "image/jpeg"},
        timeout=timeout_s,
    )


def test_bodies_in_progress_count(serve: Any, triton: Any) -> None:
    """30 clients with 17 MB each made the gateway hold 1946 MiB; only arriving bodies had a limit."""
    client = serve(max_held_body_bytes=HELD_BYTES, retry_after_s=7)
    triton.wait = True
    with ThreadPoolExecutor(1) as threads:
        held = threads.submit(_post, client, 80_000, timeout_s=3)
        until(lambda: triton.requests, "the first body is in progress")
        triton.wait = False
        rejected = _post(client, 50_000)
        assert (rejected.status_code, rejected.headers["retry-after"]) == (429, "7")
        assert f"exceed {HELD_BYTES} bytes (setting max_held_body_bytes)" in rejected.json()["errorMsg"]
        assert _post(client, 10_000).status_code == 200, "what fits is read"
        assert client.get("/health").status_code == 200
        with pytest.raises(httpx.ReadTimeout):
            held.result()
    until(lambda: _post(client, 50_000).status_code == 200, "the bytes count until their request ends")


def test_a_body_that_is_alone_is_read(serve: Any) -> None:
    client = serve(max_held_body_bytes=HELD_BYTES)
    assert [_post(client, 3 * HELD_BYTES).status_code for _ in range(3)] == [200, 200, 200]


def test_errors_give_their_bytes_back(serve: Any) -> None:
    client = serve(max_held_body_bytes=HELD_BYTES, max_body_bytes=2 * HELD_BYTES)
    statuses = [_post(client, size).status_code for size in (3 * HELD_BYTES, 90_000) * 2]
    assert statuses == [413, 200, 413, 200]
    broken = httpx.post(f"{client.base_url}/ocr", content=b"{" * 90_000, headers={"content-type": JSON_TYPE})
    assert (broken.status_code, _post(client, 90_000).status_code) == (400, 200)


@pytest.mark.parametrize("more_body", [False, True], ids=["a body", "a stream"])
def test_bytes_count_until_the_end_of_the_response(more_body: bool) -> None:
    """A client that does not read its response must not keep others out."""
    uploads = UploadLimiter(1, HELD_BYTES)
    seen: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        async def read(upload: Upload) -> None:
            uploads.count(upload, 9)

        await uploads.run(read, 1, scope["state"]["response"])
        if more_body:
            await send({"type": "http.response.body", "body": b"page 1", "more_body": True})
        await send({"type": "http.response.body", "body": b"end"})

    async def send(message: Any) -> None:
        seen.append(uploads.held_bytes)

    asyncio.run(HeldBodyMiddleware(app)({"type": "http"}, None, send))  # type: ignore[arg-type]
    assert seen == ([9, 0] if more_body else [0])


def test_a_fetched_file_counts_like_a_body() -> None:
    uploads = UploadLimiter(1, HELD_BYTES)
    held: list[int] = []

    async def fetched(url: str, count: Callable[[int], None]) -> bytes:
        count(70)
        count(7)
        held.append(uploads.held_bytes)
        return url.encode()

    service: Any = SimpleNamespace(uploads=uploads, fetcher=SimpleNamespace(fetch=fetched))
    with ExitStack() as response:
        request: Any = SimpleNamespace(state=SimpleNamespace(response=response))
        assert asyncio.run(fetch(request, service, "https://x/")) == b"https://x/"
        assert (held, uploads.held_bytes) == ([77], 77)
    assert uploads.held_bytes == 0
