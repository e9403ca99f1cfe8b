"""Errors of a wrong address state what responds at the address."""

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from kserve_fake import blank_answer, serving

import tritonocr
from tritonocr import OCRClient


def handler(pages: dict[str, bytes]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path not in pages:
                self.send_error(404)
                return
            self.send_response(200)
            self.end_headers()
            self.wfile.write(pages[self.path])

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


@pytest.fixture
def http_port(request: pytest.FixtureRequest) -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(request.param))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


TRITON = {"/v2": b'{"name":"triton","version":"2.51.0"}'}
GATEWAY = {"/openapi.json": b'{"info": {"title": "TritonOCR"}}'}


@pytest.mark.parametrize(
    ("http_port", "scheme", "remark"),
    [
        pytest.param(TRITON, "grpc", "Triton's HTTP port answers there: use http://127", id="gRPC to HTTP"),
        pytest.param(GATEWAY, "grpc", r"The gateway \(POST /ocr\) answers there", id="gRPC to the gateway"),
        pytest.param(GATEWAY, "http", r"The gateway \(POST /ocr\) answers there", id="HTTP to the gateway"),
        pytest.param({}, "grpc", "An HTTP server that is not Triton answers there", id="gRPC to a website"),
        pytest.param({}, "http", "404 Not Found. An HTTP server that is not Triton", id="HTTP to a website"),
    ],
    indirect=["http_port"],
)
def test_an_http_server_at_the_address_is_named(http_port: int, scheme: str, remark: str) -> None:
    with (
        OCRClient(f"{scheme}://127.0.0.1:{http_port}", timeout_s=20) as client,
        pytest.raises(tritonocr.ServerError, match=remark),
    ):
        client.ocr(b"a")


def test_a_grpc_server_at_an_http_address_is_named() -> None:
    with (
        serving(lambda inputs: blank_answer()) as (url, _),
        OCRClient(f"http://{url}") as client,
        pytest.raises(
            tritonocr.ServerUnavailableError, match=f"A gRPC server answers there: use grpc://{url}"
        ),
    ):
        client.ocr(b"a")


@pytest.mark.parametrize("http_port", [TRITON], indirect=True)
def test_a_missing_model_of_a_real_triton_gets_no_remark(http_port: int) -> None:
    with (
        OCRClient(f"http://127.0.0.1:{http_port}") as client,
        pytest.raises(tritonocr.ModelNotFoundError) as raised,
    ):
        client.ocr(b"a")
    assert str(raised.value) == "the server answered 404 Not Found"


@pytest.mark.parametrize("url", ["localhost: 8001", "my server:8001", "http://my server:8000"])
def test_an_address_with_white_space_is_refused_at_once(url: str) -> None:
    with pytest.raises(tritonocr.InvalidInputError, match="expected host:port"):
        OCRClient(url)


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("http://127.0.0.1:{port}", "Connection refused"),
        ("127.0.0.1:{port}", "Connection refused"),
        ("no-such-host.invalid:8001", "the host name is not known"),
    ],
)
def test_the_reason_is_told_without_a_library_s_words(address: str, reason: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    url = address.format(port=port)
    with OCRClient(url, timeout_s=5) as client, pytest.raises(tritonocr.ServerUnavailableError) as caught:
        client.ocr(b"\x89PNG", retry=False)
    full = url if "://" in url else f"grpc://{url}"
    assert str(caught.value).startswith(f"No TritonOCR server answers at {full}: {reason}")


def test_http_to_a_grpc_port_ends_at_once() -> None:
    """And not after the time limit: no retry makes it HTTP."""
    with (
        serving(blank_answer) as (url, _),
        OCRClient(f"http://{url}", timeout_s=60) as client,
        pytest.raises(tritonocr.ServerUnavailableError, match="A gRPC server answers there") as caught,
    ):
        client.ocr(b"\x89PNG")
    assert "Gave up" not in str(caught.value)
