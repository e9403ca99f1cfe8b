"""Headers for browsers, request rates, HTTPS, and text in place of a file."""

from __future__ import annotations

import base64
import contextlib
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
from fake_triton import picture
from hypothesis import given
from hypothesis import strategies as st
from running_gateway import free_port

from tritonocr_gateway.admission import RequestRate
from tritonocr_gateway.errors import InvalidRequestError, OverCapacityError
from tritonocr_gateway.files import from_base64


@pytest.mark.parametrize("path", ["/", "/docs", "/health", "/metrics", "/models", "/static/main.js", "/nope"])
def test_every_answer_tells_browsers_to_be_strict(serve: Any, path: str) -> None:
    headers = serve().get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]


@pytest.mark.parametrize("accept", ["application/json", "text/plain", "application/pdf"])
def test_what_was_read_is_kept_by_no_cache(serve: Any, body: dict[str, Any], accept: str) -> None:
    answer = serve().post("/ocr", json=body, headers={"accept": accept})
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")


def test_another_site_may_read_nothing(serve: Any, body: dict[str, Any]) -> None:
    client, site = serve(), {"origin": "https://elsewhere.example"}
    asked = {**site, "access-control-request-method": "POST", "access-control-request-headers": "x-api-key"}
    for answer in (client.post("/ocr", json=body, headers=site), client.options("/ocr", headers=asked)):
        assert not [name for name in answer.headers if name.startswith("access-control-")]
    assert client.options("/ocr", headers=asked).status_code == 405


class TestBase64:
    """What the gateway decodes once, the server must not decode again."""

    @pytest.mark.parametrize(
        "inner",
        [
            pytest.param(base64.b64encode(picture()), id="Base64 again"),
            pytest.param(b"data:image/png;base64," + base64.b64encode(picture()), id="a data: URI"),
            pytest.param(base64.encodebytes(picture()), id="in lines"),
            pytest.param(b"Twenty letters and more", id="plain text"),
        ],
    )
    def test_of_text_is_refused(self, serve: Any, inner: bytes) -> None:
        answer = serve().post("/ocr", json={"file": base64.b64encode(inner).decode()})
        assert answer.status_code == 422
        assert answer.json()["errorMsg"].startswith("The decoded file is Base64 again")

    def test_of_a_plain_ppm_is_an_image(self) -> None:
        content = b"P3\n2 1\n255\n0 0 0 255 255 255\n"
        assert from_base64(base64.b64encode(content).decode()) == content

    @given(st.binary(min_size=1, max_size=200))
    def test_is_undone_or_refused(self, content: bytes) -> None:
        with contextlib.suppress(InvalidRequestError):
            assert from_base64(base64.b64encode(content).decode()) == content
            return
        assert content[:16].isascii(), "bytes that are no text are never refused here"

    @given(st.text(max_size=200))
    def test_whatever_is_sent_as_a_file_is_bytes_or_refused(self, text: str) -> None:
        with contextlib.suppress(InvalidRequestError):
            assert from_base64(text)


class TestRate:
    @pytest.mark.parametrize("per_minute", [1, 3, 7, 60, 1000])
    def test_is_kept_at_once_and_over_time(self, per_minute: int) -> None:
        now_s = [0.0]
        rate = RequestRate(per_minute, clock=lambda: now_s[0])

        def passed(tries: int) -> int:
            count = 0
            for _ in range(tries):
                try:
                    rate.check("a")
                except OverCapacityError:
                    continue
                count += 1
            return count

        assert passed(2 * per_minute) == per_minute, "all of a minute's at once"
        now_s[0] += 60 / per_minute * 1.001
        assert passed(2) == 1, "then one an interval"
        now_s[0] += 3600
        assert passed(2 * per_minute) == per_minute, "and no more after a long rest"

    def test_of_one_is_nothing_to_another(self) -> None:
        rate = RequestRate(1, clock=lambda: 0)
        rate.check("a")
        rate.check("b")
        with pytest.raises(OverCapacityError, match="setting max_requests_per_minute"):
            rate.check("a")

    def test_forgets_the_many_and_not_the_busy(self) -> None:
        rate = RequestRate(2, clock=lambda: 0)
        for caller in ("busy", "busy", *map(str, range(10_000))):
            rate.check(caller)
        assert len(vars(rate)["_next_arrival_s"]) <= 5_000
        with pytest.raises(OverCapacityError):
            rate.check("busy")

    def test_counts_guesses_of_a_key(self, serve: Any) -> None:
        client = serve(api_keys="right-key", max_requests_per_minute=3)
        statuses = [client.get("/models", headers={"X-API-Key": f"guess {n}"}).status_code for n in range(5)]
        assert statuses == [401, 401, 401, 429, 429]
        assert client.get("/models", headers={"X-API-Key": "right-key"}).status_code == 200
        assert client.get("/health").status_code == 200


def test_https(tmp_path: Path) -> None:
    authority, pem = trustme.CA(), tmp_path / "gateway.pem"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(pem))
    port = free_port()
    command = [sys.executable, "-m", "tritonocr", "gateway", "--url", "127.0.0.1:9", "--port", str(port)]
    process = subprocess.Popen([*command, "--tls-certificate", str(pem)], stderr=subprocess.PIPE)
    try:
        assert process.stderr
        next(line for line in process.stderr if b"listens on https://127.0.0.1" in line)
        context = ssl.create_default_context()
        authority.configure_trust(context)
        assert httpx.get(f"https://127.0.0.1:{port}/health", verify=context).status_code == 200
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            httpx.get(f"https://127.0.0.1:{port}/health")
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.get(f"http://127.0.0.1:{port}/health")
    finally:
        process.terminate()
        process.communicate(timeout=30)
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return
    pytest.fail("the gateway still listens")
