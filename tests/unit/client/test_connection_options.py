"""The options of the commands for servers with TLS or a key."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
import trustme
from kserve_fake import answer_with_lines, serving

from tritonocr import TLS, InvalidInputError
from tritonocr.cli import main
from tritonocr.cli._connection import connection


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["tritonocr", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], {}),
        (["x-key: 1"], {"x-key": "1"}),
        (["authorization:Bearer a:b"], {"authorization": "Bearer a:b"}),
        (["x-key: 1", "@headers"], {"x-key": "1", "authorization": "Bearer secret", "x-tenant": "me"}),
    ],
    ids=["none", "one", "a colon in the value", "lines of a file"],
)
def test_headers(
    given: list[str], expected: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("headers").write_text("authorization: Bearer secret\n\nx-tenant: me\n")
    assert connection(given, None, None, None) == {"headers": expected, "tls": None}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [("Bearer secret", "--header has no name"), ("@absent", "--header @absent: .*No such")],
)
def test_a_wrong_header_is_told_without_a_secret(given: str, sentence: str) -> None:
    with pytest.raises(InvalidInputError, match=sentence) as error:
        connection([given], None, None, None)
    assert "secret" not in str(error.value)


def test_predict_reads_over_tls_and_shows_its_key(
    authority: trustme.CA, ca_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    page = tmp_path / "page.png"
    page.write_bytes(b"page")
    issued = authority.issue_cert("127.0.0.1")
    chain = b"".join(pem.bytes() for pem in issued.cert_chain_pems)
    credentials = grpc.ssl_server_credentials([(issued.private_key_pem.bytes(), chain)])
    with serving(lambda _: answer_with_lines(["read"]), credentials=credentials) as (address, servicer):
        read = ("predict", page, "--format", "text", "--url", f"grpcs://{address}")
        assert run(monkeypatch, *read, "--tls-ca", ca_file, "--header", "X-Key: 1") == 0
        assert capsys.readouterr().out == "read\n"
        assert servicer.metadata[-1]["x-key"] == "1"
        assert run(monkeypatch, *read) == 3, "an authority that the system does not know"
    assert "issuer certificate" in capsys.readouterr().err


def test_bulk_hands_the_same_on(ca_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What Ray's readers do with it needs Ray: tests/bulk."""
    given: dict[str, Any] = {}

    def read_files(*_: object, **arguments: Any) -> SimpleNamespace:
        given.update(arguments)
        return SimpleNamespace(files=0, pages=0, failed={}, files_done_before=0)

    monkeypatch.setitem(sys.modules, "tritonocr.ray", SimpleNamespace(read_files=read_files))
    files = ("in", "--output", "out", "--url", "grpcs://a:1")
    assert run(monkeypatch, "bulk", *files, "--tls-ca", ca_file, "--header", "X-Key: 1") == 0
    assert given["tls"] == TLS(ca_file)
    assert given["headers"] == {"X-Key": "1"}


def test_certificates_without_a_server_are_an_error(
    ca_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    assert run(monkeypatch, "predict", "page.png", "--tls-ca", ca_file) == 2
    assert "tls is given without url" in capsys.readouterr().err
