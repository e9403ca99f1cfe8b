"""Certificates: unusable files are rejected with their name, and https:// connections are verified."""

import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme

from tritonocr import TLS, InvalidInputError, OCRClient, ServerUnavailableError


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"TLS ca: cannot read '.*nope\.pem': No such file"):
        TLS(tmp_path / "nope.pem")


def test_a_file_that_is_no_pem(tmp_path: Path) -> None:
    (tmp_path / "a.der").write_bytes(b"\x30\x82")
    with pytest.raises(InvalidInputError, match=r"TLS ca: '.*a\.der' is not a PEM file"):
        TLS(tmp_path / "a.der")


def test_a_certificate_without_its_key(ca_file: Path) -> None:
    with pytest.raises(InvalidInputError, match="one of certificate and key, expected both or neither"):
        TLS(certificate=ca_file)


def test_a_key_that_is_none(ca_file: Path) -> None:
    with pytest.raises(InvalidInputError, match="TLS: the PEM files cannot be used"):
        OCRClient("https://localhost:1", tls=TLS(certificate=ca_file, key=ca_file))


@pytest.mark.parametrize("url", ["localhost:8001", "grpc://localhost:8001", "http://localhost:8000"])
def test_an_address_in_clear_text_is_no_place_for_them(url: str, ca_file: Path) -> None:
    with pytest.raises(InvalidInputError, match="is not a grpcs:// or https:// address"):
        OCRClient(url, tls=TLS(ca_file))


class _Live(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Nothing on the terminal."""


class _QuietServer(ThreadingHTTPServer):
    def handle_error(self, *arguments: object) -> None:
        """The test expects a handshake that the client aborts."""


@pytest.fixture
def https_port(authority: trustme.CA) -> Iterator[int]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    with _QuietServer(("127.0.0.1", 0), _Live) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def test_https_is_checked_against_the_authority(https_port: int, ca_file: Path) -> None:
    for tls, host, is_live in ((TLS(ca_file), "localhost", True), (None, "localhost", False)):
        with OCRClient(f"https://{host}:{https_port}", tls=tls) as client:
            assert client.health().live == is_live
    with OCRClient(f"https://127.0.0.1:{https_port}", tls=TLS(ca_file)) as client:
        assert not client.health().live, "the certificate is another host's"


def test_grpcs_says_that_it_is_the_certificate(https_port: int) -> None:
    """It said "OK", the last word of gRPC's account."""
    with (
        OCRClient(f"grpcs://localhost:{https_port}") as client,
        pytest.raises(ServerUnavailableError, match="certificate"),
    ):
        list(client.predict(b"a file"))
