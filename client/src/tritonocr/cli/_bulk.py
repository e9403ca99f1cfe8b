"""`tritonocr bulk`: `read_files()` from the shell."""

from __future__ import annotations

import logging
import time
from typing import Annotated, Any

import typer

from tritonocr_common.options import OptionValueError

from .._arguments import DEFAULT_TIMEOUT_S
from .._bulk_defaults import FILES_IN_FLIGHT, FILES_PER_PART, PATIENCE_S
from .._exceptions import InvalidInputError
from .._options import OPTIONS
from ._connection import Headers, TlsCa, TlsCertificate, TlsKey, connection
from ._errors import ExitCode, say
from ._summary import summary


def bulk(
    inputs: Annotated[list[str], typer.Argument(help="Directories or files, or URIs of them (s3://…).")],
    output: Annotated[str, typer.Option(help="Directory or URI for the results.")],
    url: Annotated[
        list[str] | None,
        typer.Option(help="A server; repeatable. Without one, each node starts its own.", show_default=False),
    ] = None,
    header: Headers = None,
    tls_ca: TlsCa = None,
    tls_certificate: TlsCertificate = None,
    tls_key: TlsKey = None,
    device: Annotated[
        str | None, typer.Option(help="Of the servers started here.", show_default=False)
    ] = None,
    file_format: Annotated[str, typer.Option("--format", help="parquet or jsonl.")] = "parquet",
    option: Annotated[
        list[str] | None,
        typer.Option(help="NAME=VALUE of a predict() option; repeatable.", show_default=False),
    ] = None,
    readers: Annotated[
        int | None, typer.Option(min=1, help="Processes that read.", show_default="2 a server, or 1 a node")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Files in flight, each reader.")] = FILES_IN_FLIGHT,
    files_per_part: Annotated[int, typer.Option(min=1, help="Files of one output part.")] = FILES_PER_PART,
    timeout_s: Annotated[float, typer.Option("--timeout", help="Seconds a file.")] = DEFAULT_TIMEOUT_S,
    patience_s: Annotated[
        float, typer.Option("--patience", help="Seconds that all servers may be away.")
    ] = PATIENCE_S,
) -> None:
    """Read many files on a Ray cluster; start it again to go on after a crash.

    Example:
        tritonocr bulk s3://bucket/scans --output s3://bucket/text --url gpu-1:8001 --url gpu-2:8001

    Every node must have the files of --tls-ca, --tls-certificate and --tls-key.

    Exit codes: those of `tritonocr predict`.
    """
    from ..ray import read_files

    logging.getLogger("ray.data").setLevel(logging.ERROR)  # its plan and its progress are not our output
    started_s = time.monotonic()
    read = read_files(
        inputs,
        output,
        urls=url or (),
        device=device,
        file_format=file_format,
        readers=readers,
        jobs=jobs,
        files_per_part=files_per_part,
        timeout_s=timeout_s,
        patience_s=patience_s,
        **connection(header, tls_ca, tls_certificate, tls_key),
        **dict(map(parsed_option, option or ())),
    )
    seconds = time.monotonic() - started_s
    say(summary(read.files, read.files_done_before, read.pages, read.failures, seconds))
    if read.failures:
        raise typer.Exit(int(ExitCode.FILES_FAILED))


def parsed_option(text: str) -> tuple[str, Any]:
    """Turn `NAME=VALUE` into an option's name and value.

    Raises:
        InvalidInputError: there is no such option, or the value is not of its type.
    """
    name, equals, value = text.partition("=")
    if not equals or name not in OPTIONS:
        raise InvalidInputError(
            f"--option is {text!r}; expected NAME=VALUE with one of {', '.join(OPTIONS)}."
        )
    try:
        return name, OPTIONS[name].parse(value)
    except OptionValueError as error:
        raise InvalidInputError(f"--option {name} is {error.got}; expected {error.expected}.") from None
