"""Limits: size, time, concurrency, keys; and a client that disconnects."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from fake_triton import picture

import tritonocr

MANY = 8 << 20


def eventually(condition: Callable[[], bool], timeout_s: float = 5) -> bool:
    deadline = time.monotonic() + timeout_s
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


def _chunks() -> Iterator[bytes]:
    yield from [b"x" * (1 << 20)] * 8


@pytest.mark.parametrize(
    ("content", "headers", "why"),
    [
        (b"x" * MANY, {"content-type": "application/json"}, "by its Content-Length"),
        (_chunks(), {"content-type": "application/json"}, "chunked: by counting"),
        (b"x" * MANY, {"content-type": "multipart/form-data; boundary=b"}, "a form"),
        (_chunks(), {"content-type": "multipart/form-data; boundary=b"}, "a chunked form"),
    ],
)
def test_a_body_that_is_too_large_is_refused(serve: Any, content: Any, headers: Any, why: str) -> None:
    """Both kinds of client see the answer, though they are still sending when it is given."""
    answer = serve(max_body_bytes=4096).post("/ocr", content=content, headers=headers)
    assert answer.status_code == 413, why
    assert "max_body_bytes" in answer.json()["errorMsg"]


def test_a_large_body_is_refused_before_it_is_sent(serve: Any) -> None:
    client = serve(max_body_bytes=4096)
    head = (
        "POST /ocr HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"Content-Length: {MANY}\r\nExpect: 100-continue\r\n\r\n"
    )
    with socket.create_connection((client.base_url.host, client.base_url.port)) as connection:
        connection.sendall(head.encode())
        connection.settimeout(5)
        assert connection.recv(100).startswith(b"HTTP/1.1 413")


def test_a_body_that_does_not_arrive_is_not_waited_for(serve: Any) -> None:
    client = serve(upload_timeout_s=0.2)
    head = "POST /ocr HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    with socket.create_connection((client.base_url.host, client.base_url.port)) as connection:
        connection.sendall(head.encode())
        connection.settimeout(5)
        assert connection.recv(100).startswith(b"HTTP/1.1 408")


@pytest.mark.parametrize("media_type", ["application/json", "multipart/form-data; boundary=b"])
def test_a_client_that_goes_away_while_sending_is_no_failure(
    serve: Any, caplog: pytest.LogCaptureFixture, media_type: str
) -> None:
    client = serve(max_concurrent_requests=1)
    head = f"POST /ocr HTTP/1.1\r\nHost: x\r\nContent-Type: {media_type}\r\nContent-Length: 100\r\n\r\n--b"
    with socket.create_connection((client.base_url.host, client.base_url.port)) as connection:
        connection.sendall(head.encode())
    counted = 'requests_total{route="/ocr",status="499"} 1.0'
    assert eventually(lambda: counted in client.get("/metrics").text)
    assert not caplog.records


def test_one_request_too_many_is_refused_at_once(serve: Any, triton: Any, body: dict[str, Any]) -> None:
    client = serve(max_concurrent_requests=2, retry_after_s=9)
    triton.wait = True
    holders = [threading.Thread(target=_ignoring_errors(client, body)) for _ in range(2)]
    for holder in holders:
        holder.start()
    assert eventually(lambda: len(triton.requests) == 2)
    started = time.monotonic()
    answer = client.post("/ocr", json={**body, "file": "A" * MANY})
    assert time.monotonic() - started < 2
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "9")
    assert "max_concurrent_requests" in answer.json()["errorMsg"]
    assert client.get("/health").status_code == 200
    client.close()
    for holder in holders:
        holder.join()


def _ignoring_errors(client: httpx.Client, body: dict[str, Any]) -> Callable[[], None]:
    def post() -> None:
        with contextlib.suppress(httpx.TimeoutException):
            httpx.post(f"{client.base_url}/ocr", json=body, timeout=1)

    return post


def test_a_place_is_given_back(serve: Any, triton: Any, body: dict[str, Any]) -> None:
    client = serve(max_concurrent_requests=1)
    answers = [client.post("/ocr", json=sent).status_code for sent in (body, {}, body, {"file": "!"}, body)]
    assert answers == [200, 422, 200, 422, 200]


def test_a_client_that_goes_away_cancels_its_work(serve: Any, triton: Any, body: dict[str, Any]) -> None:
    client = serve(max_concurrent_requests=1)
    triton.wait = True
    with pytest.raises(httpx.ReadTimeout):
        client.post("/ocr", json=body, timeout=0.2)
    assert eventually(lambda: triton.cancelled == 1), "the request to Triton goes on"
    triton.wait = False
    assert eventually(lambda: client.post("/ocr", json=body).status_code == 200), (
        "its place is not given back"
    )


KEYS = "first-key,second-key"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": "Bearer second-key"}, 200),
        ({"X-API-Key": "first-key"}, 200),
        ({"Authorization": "Bearer first-ke"}, 401),
        ({"Authorization": "Bearer first-key,second-key"}, 401),
        ({"Authorization": "Basic first-key"}, 401),
        ({"X-API-Key": ""}, 401),
        ({"X-API-Key": "ключ".encode()}, 401),
    ],
)
@pytest.mark.parametrize("path", ["/ocr", "/models"])
def test_a_right_key_lets_in_and_no_other_does(
    serve: Any, body: dict[str, Any], headers: Any, status: int, path: str
) -> None:
    client = serve(api_keys=KEYS)
    answer = (
        client.post(path, json=body, headers=headers) if path == "/ocr" else client.get(path, headers=headers)
    )
    assert answer.status_code == status
    if status == 401:
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json()["errorCode"] == 401


@pytest.mark.parametrize("path", ["/", "/health", "/health/ready", "/openapi.json", "/docs"])
def test_no_key_is_needed_to_look(serve: Any, path: str) -> None:
    assert serve(api_keys=KEYS).get(path).status_code == 200


def test_readiness_is_triton_s(serve: Any, triton: Any) -> None:
    client = serve()
    assert client.get("/health/ready").json()["errorMsg"] == "Ready"
    triton.ready = False
    assert client.get("/health/ready").status_code == 503
    assert client.get("/health").json().keys() == {"logId", "errorCode", "errorMsg"}


def test_ready_means_that_a_page_was_read(serve: Any, triton: Any) -> None:
    client = serve(port=0)  # its own gateway, which has read nothing yet
    triton.error = tritonocr.ServerError("a process hangs")
    assert client.get("/health/ready").status_code == 503
    triton.error = None
    assert client.get("/health/ready").status_code == 200
    requests = len(triton.requests)
    assert client.get("/health/ready").status_code == 200
    assert len(triton.requests) == requests, "a page that was read lately is enough"


def test_an_interrupted_request_waits_for_the_server(serve: Any, triton: Any, body: dict[str, Any]) -> None:
    client = serve(restart_wait_s=60)
    triton.error = tritonocr.ServerUnavailableError("restarting")
    threading.Timer(0.5, setattr, (triton, "error", None)).start()
    assert client.post("/ocr", json=body).status_code == 200
    assert "tritonocr_gateway_retries_total 0.0" not in client.get("/metrics").text


def test_metrics_count_by_route_and_status(serve: Any, body: dict[str, Any]) -> None:
    client = serve(max_pages=9)
    for sent in (body, body, {}):
        client.post("/ocr", json=sent)
    client.get("/nope/1")
    client.get("/nope/2")
    text = client.get("/metrics").text
    assert 'tritonocr_gateway_requests_total{route="/ocr",status="200"} 2.0' in text
    assert 'tritonocr_gateway_requests_total{route="/ocr",status="422"} 1.0' in text
    assert 'tritonocr_gateway_requests_total{route="unmatched",status="404"} 2.0' in text
    assert "tritonocr_gateway_pages_total 2.0" in text
    assert "tritonocr_gateway_requests_in_flight 0.0" in text


def test_an_upload_is_read_as_it_is(serve: Any, triton: Any) -> None:
    content = picture("PNG", (2000, 2000)) + bytes(2 << 20)
    assert serve().post("/ocr", files={"file": content}, data={"visualize": "false"}).status_code == 200
    assert triton.sent()["file"] == content
