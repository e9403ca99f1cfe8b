"""The options that select a server, and that servers with TLS or a key need."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from tritonocr_common import environment

from .._exceptions import InvalidInputError
from .._transport.tls import TLS

_HEADER = re.compile(r"([\w.-]+)\s*:\s*(.*)", re.ASCII)

ServerUrl = Annotated[
    list[str] | None,
    typer.Option(
        "--url",
        envvar=environment.URL,
        help="Address of a running server: host:port (gRPC) or http://host:port. For several servers, repeat "
        "the option, or separate addresses with commas. Without --url, a server is started on this machine "
        "and stopped afterwards.",
        show_default=False,
    ),
]
Device = Annotated[
    str | None,
    typer.Option(
        "--device",
        help="Device of a server that is started on this machine: cpu, gpu:0 …",
        show_default=False,
    ),
]
Headers = Annotated[
    list[str] | None,
    typer.Option(
        "--header",
        help="'NAME: VALUE', sent with every request; repeatable. @FILE reads such lines from a file, so "
        "that a key does not appear in the process list.",
        show_default=False,
    ),
]
TlsCa = Annotated[
    Path | None,
    typer.Option(
        "--tls-ca",
        help="PEM file of the authority that signed the certificate of a grpcs:// or https:// server; "
        "default: the authorities that the system trusts.",
        show_default=False,
    ),
]
TlsCertificate = Annotated[
    Path | None,
    typer.Option(
        "--tls-certificate",
        help="PEM file of the client's certificate, if the server requires one.",
        show_default=False,
    ),
]
TlsKey = Annotated[
    Path | None,
    typer.Option("--tls-key", help="PEM file of the private key of --tls-certificate.", show_default=False),
]


def connection(
    headers: Sequence[str] | None, ca: Path | None, certificate: Path | None, key: Path | None
) -> dict[str, Any]:
    """Return the arguments `headers` and `tls` of a client.

    Raises:
        InvalidInputError: a header has no name, or a file cannot be read.
    """
    files = (ca, certificate, key)
    lines = (line for given in headers or () for line in _lines(given))
    return {"headers": dict(map(_header, lines)), "tls": TLS(*files) if any(files) else None}


def _lines(given: str) -> Iterator[str]:
    if not given.startswith("@"):
        return iter([given])
    try:
        text = Path(given[1:]).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(
            f"--header {given}: the file cannot be read as UTF-8 text: {error}."
        ) from error
    return (line for line in text.splitlines() if line.strip())


def _header(line: str) -> tuple[str, str]:
    found = _HEADER.fullmatch(line.strip())
    if not found:  # the error does not repeat the text: it may be a key
        raise InvalidInputError("--header has no name; expected 'NAME: VALUE'.")
    return found[1], found[2]
