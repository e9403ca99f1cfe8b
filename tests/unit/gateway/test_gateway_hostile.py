"""Hostile requests through a real socket. Each attack gets a bounded response, and others stay served."""

from __future__ import annotations

import logging
import logging.config
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tritonocr_gateway import Settings
from tritonocr_gateway.connections import ConnectionLimits
from tritonocr_gateway.request_log import log_config

HEAD = b"POST /ocr HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
GOOD_BODY = b'{"file": "iVBORw0KGgo=", "visualize": false}'


def _connect(client: Any) -> socket.socket:
    return socket.create_connection((client.base_url.host, client.base_url.port), timeout=20)


def _read_to_end(connection: socket.socket) -> bytes:
    content = b""
    while chunk := connection.recv(1 << 16):
        content += chunk
    return content


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def _part(name: str, content: bytes, headers: bytes = b"") -> bytes:
    return b'--b\r\nContent-Disposition: form-data; name="%s"\r\n%s\r\n%s\r\n' % (
        name.encode(),
        headers,
        content,
    )


FILE_PART = _part('file"; filename="a', b"\x89PNG")


@pytest.mark.parametrize(
    ("charset", "reason"),
    [
        ("punycode", "a decoder of quadratic time"),
        ("idna", "a decoder that raises other errors"),
        ("zlib_codec", "no text encoding"),
        ("unicode_escape", "a decoder that changes the text"),
        ("nonsense", "an unknown name"),
    ],
)
def test_the_charset_of_a_form_reaches_no_decoder(serve: Any, triton: Any, charset: str, reason: str) -> None:
    body = _part("lang", "\\u00e9é".encode()) + FILE_PART + b"--b--\r\n"
    headers = {"content-type": f"multipart/form-data; charset={charset}; boundary=b"}
    assert serve().post("/ocr", content=body, headers=headers).status_code == 200, reason
    assert triton.sent()["lang"].decode() == "\\u00e9é"


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (_part("lang", b"\xff") + b"--b--\r\n", 422, "a field that is not UTF-8"),
        (_part("lang", b"x", b"X: " + b"a" * 100_000 + b"\r\n"), 400, "a huge header of a part"),
        (_part("lang", b"x", b"X: 1\r\n" * 1000), 400, "many headers of a part"),
        (_part("a", b"1") * 1000 + b"--b--\r\n", 400, "many parts"),
        (b"x" * 100_000, 400, "no boundary"),
        (b"--b\r\nContent-Disposition: form-data\r\n\r\n1\r\n--b--\r\n", 400, "a part without a name"),
        (b"--b\r\n\r\n1\r\n--b--\r\n", 400, "a part without headers"),
        (_part("lang", b"en"), 400, "no last boundary"),
    ],
)
def test_a_malformed_form_is_rejected_with_one_sentence(
    serve: Any, body: bytes, status: int, reason: str
) -> None:
    headers = {"content-type": "multipart/form-data; boundary=b"}
    response = serve().post("/ocr", content=body, headers=headers)
    assert (response.status_code, response.json()["errorCode"]) == (status, status), reason
    assert len(response.json()["errorMsg"]) < 300


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"[" + b"[]," * 100_000 + b"0]", "many empty lists"),
        (b"[" + b'{"":0},' * 100_000 + b"0]", "many objects"),
        (b"[" * 5_000 + b"]" * 5_000, "deep nesting below the limit on elements"),
        ('{"file": "é"}'.encode("utf-16"), "not UTF-8"),
    ],
)
def test_json_has_bounded_elements_and_depth(serve: Any, body: bytes, reason: str) -> None:
    response = serve().post("/ocr", content=body, headers={"content-type": "application/json"})
    assert response.status_code == 400, reason


def test_warnings_about_unknown_fields_are_bounded(serve: Any, body: dict[str, Any]) -> None:
    unknown = {f"{'x' * 1000}{number}": 0 for number in range(2000)}
    result = serve().post("/ocr", json={**body, **unknown}).json()["result"]
    assert len(result["warnings"]) == 11
    assert result["warnings"][-1] == "1990 more fields are unknown and were ignored."
    assert len(str(result["warnings"])) < 3000


@pytest.mark.parametrize("field", ["text_det_thresh", "use_doc_unwarping", "max_pages", "return_text"])
def test_names_in_snake_case_are_unknown_fields(
    serve: Any, triton: Any, body: dict[str, Any], field: str
) -> None:
    result = serve().post("/ocr", json={**body, field: 1}).json()["result"]
    assert result["warnings"] == [f"The field {field!r} is unknown and was ignored."]
    assert field not in triton.sent()


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"", "an idle connection"),
        (HEAD, "half of a request head"),
        (b"GET /health HTTP/1.1\r\nHost: x\r\n\r\nGET /hea", "half of a second head"),
    ],
)
def test_a_connection_without_a_whole_request_is_closed(serve: Any, sent: bytes, reason: str) -> None:
    with _connect(serve(head_timeout_s=0.5)) as connection:
        connection.sendall(sent)
        started_s = time.monotonic()
        _read_to_end(connection)
        assert 0.3 < time.monotonic() - started_s < 10, reason


def test_half_sent_bodies_keep_nobody_out(serve: Any) -> None:
    client = serve(max_uploads=4, max_concurrent_requests=2)
    stalled = [_connect(client) for _ in range(12)]
    for connection in stalled:
        connection.sendall(HEAD + b"Content-Length: 1000\r\n\r\n{")
    # 12 uploads against a limit of 4: once 8 of them are rejected, all of them have arrived.
    until(lambda: len(select.select(stalled, [], [], 0)[0]) >= 8, "8 uploads are rejected")
    headers = {"content-type": "application/json"}
    statuses = [client.post("/ocr", content=GOOD_BODY, headers=headers).status_code for _ in range(3)]
    assert statuses == [200, 200, 200]
    rejected = select.select(stalled, [], [], 0)[0]
    assert all(connection.recv(100).startswith(b"HTTP/1.1 429") for connection in rejected)
    for connection in stalled:
        connection.close()


def test_idle_connections_at_the_limit_keep_nobody_out(serve: Any) -> None:
    client = serve(max_connections=10)
    idle = [_connect(client) for _ in range(30)]
    assert client.get("/health").status_code == 200
    assert _read_to_end_or_reset(idle[0]) == b"", "the longest idle connection made room"
    for connection in idle:
        connection.close()


def _read_to_end_or_reset(connection: socket.socket) -> bytes:
    try:
        return _read_to_end(connection)
    except ConnectionResetError:
        return b""


@pytest.mark.parametrize(("open_files", "expected"), [(1024, 640), (100_000, 1000), (256, 16)])
def test_the_limit_on_connections_fits_the_open_files(open_files: int, expected: int) -> None:
    assert ConnectionLimits(Settings(), open_files).max_connections == expected


def test_a_response_that_nobody_reads_is_dropped(serve: Any, triton: Any) -> None:
    triton.tensors["rec_texts"] = np.array([b"x" * (20 << 20)], np.object_)
    with _connect(serve(send_timeout_s=0.5)) as connection:
        connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(GOOD_BODY) + GOOD_BODY)
        time.sleep(3)
        assert len(_read_to_end_or_reset(connection)) < 10 << 20


def test_unread_responses_at_the_limit_make_room_for_new_ones(serve: Any, triton: Any) -> None:
    triton.tensors["rec_texts"] = np.array([b"x" * (20 << 20)], np.object_)
    client = serve(max_unsent_bytes=30 << 20)
    unread = [_connect(client) for _ in range(3)]
    for connection in unread:
        connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(GOOD_BODY) + GOOD_BODY)
        time.sleep(1)
    assert len(_read_to_end_or_reset(unread[0])) < 10 << 20, "the longest unread response was dropped"
    headers = {"content-type": "application/json"}
    assert len(client.post("/ocr", content=GOOD_BODY, headers=headers).content) > 20 << 20
    for connection in unread:
        connection.close()


def test_two_lengths_close_the_connection(serve: Any) -> None:
    """RFC 9112, section 6.1: the second request could come from an attacker behind a proxy."""
    with _connect(serve()) as connection:
        connection.sendall(
            b"POST /ocr HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
        )
        content = _read_to_end_or_reset(connection)
    assert content.startswith(b"HTTP/1.1 400")
    assert content.count(b"HTTP/1.1") == 1


def test_a_forwarded_address_of_a_stranger_changes_no_rate(serve: Any) -> None:
    client = serve(max_requests_per_minute=2)
    headers = [{"X-Forwarded-For": f"192.0.2.{number}"} for number in range(4)]
    assert [client.get("/models", headers=each).status_code for each in headers] == [200, 200, 429, 429]


def test_a_named_proxy_forwards_the_address(serve: Any) -> None:
    client = serve(max_requests_per_minute=1, trusted_proxies="127.0.0.1")
    headers = [{"X-Forwarded-For": f"192.0.2.{number}"} for number in (1, 2, 1)]
    assert [client.get("/models", headers=each).status_code for each in headers] == [200, 200, 429]


@pytest.mark.parametrize("keys", [" , ,", ",", " "])
def test_keys_that_are_all_blank_are_rejected(keys: str) -> None:
    with pytest.raises(ValueError, match="at least one key"):
        Settings(api_keys=keys)


def test_an_unexpected_error_has_an_id_and_safe_headers(
    serve: Any, triton: Any, body: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    triton.error = ZeroDivisionError("a secret")
    response = serve().post("/ocr", json=body, headers={"X-Request-ID": "scan-1"})
    assert (response.status_code, response.headers["x-request-id"]) == (500, "scan-1")
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "secret" not in response.text
    assert "a secret" in caplog.text, "the log has the details"


def test_drawing_a_large_page_needs_bounded_memory() -> None:
    """A page of 70 megapixels: full-size drawing took 1986 MB."""
    code = (
        "import io, resource, numpy as np\n"
        "from PIL import Image\n"
        "from tritonocr._results.pictures import decoded, ocr_picture\n"
        "encoded = io.BytesIO(); Image.new('L', (7000, 10000), 255).save(encoded, 'JPEG')\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "page, scale = decoded(encoded.getvalue(), 2048)\n"
        "quad = np.array([[10, 10], [900, 10], [900, 90], [10, 90]]) * scale\n"
        "drawn = ocr_picture(page, [quad], ['text'])\n"
        "print(drawn.size, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    size, _, grown_mb = done.stdout.strip().rpartition(" ")
    assert size == "(2866, 2048)"
    assert int(grown_mb) < 300


def test_a_taken_port_is_the_only_message() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        command = [sys.executable, "-m", "tritonocr", "gateway", "--port", port]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert f"cannot listen on 127.0.0.1 port {port}" in " ".join(done.stderr.replace("│", " ").split())
    assert "complete" not in done.stderr


def test_the_schema_is_counted_under_its_own_path(serve: Any) -> None:
    client = serve()
    client.get("/openapi.json")
    client.get("/no/such/path")
    counted = client.get("/metrics").text
    assert 'route="/openapi.json",status="200"' in counted
    assert 'route="unmatched",status="404"' in counted
    assert "/no/such/path" not in counted


def test_static_files_are_logged_under_their_folder(serve: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "tritonocr_gateway.request_log"):
        client = serve()
        client.get("/static/main.js")
        deadline = time.monotonic() + 10
        while not caplog.records and time.monotonic() < deadline:
            time.sleep(0.01)
    assert [record.getMessage() for record in caplog.records] == ["GET /static 200"]


def test_json_logs_hold_no_ansi_codes() -> None:
    configurator = logging.config.DictConfigurator(log_config("json"))
    formatter = configurator.configure_formatter(configurator.config["formatters"]["default"])
    record = logging.makeLogRecord({"msg": "Started", "color_message": "\x1b[1mStarted\x1b[0m"})
    assert "color_message" not in formatter.format(record)
