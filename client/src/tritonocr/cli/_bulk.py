"""`tritonocr bulk`: the command line of `read_files()`."""

from __future__ import annotations

import logging
import os
import time
import warnings
from typing import Annotated, Any

import typer

from tritonocr_common.options import OptionValueError
from tritonocr_common.quoting import quoted

from .._arguments import DEFAULT_TIMEOUT_S
from .._bulk_defaults import FILES_IN_FLIGHT, FILES_PER_PART, PATIENCE_S
from .._exceptions import InvalidInputError
from .._options import OPTIONS
from ._connection import Headers, TlsCa, TlsCertificate, TlsKey, connection
from ._errors import ExitCode, say
from ._summary import summary


def bulk(
    inputs: Annotated[
        list[str], typer.Argument(help="Directories or files, or their URIs (s3://…, hdfs://host:port/…).")
    ],
    output: Annotated[str, typer.Option(help="Directory or URI of the results.")],
    url: Annotated[
        list[str] | None,
        typer.Option(
            help="Address of a server; repeatable. Without --url, each node starts its own server.",
            show_default=False,
        ),
    ] = None,
    header: Headers = None,
    tls_ca: TlsCa = None,
    tls_certificate: TlsCertificate = None,
    tls_key: TlsKey = None,
    device: Annotated[
        str | None,
        typer.Option(help="Device of the servers that the nodes start: cpu, gpu:0 …", show_default=False),
    ] = None,
    file_format: Annotated[
        str, typer.Option("--format", help="Format of the output: parquet or jsonl.")
    ] = "parquet",
    option: Annotated[
        list[str] | None,
        typer.Option(help="NAME=VALUE, an option of predict(); repeatable.", show_default=False),
    ] = None,
    readers: Annotated[
        int | None,
        typer.Option(min=1, help="Number of reader processes.", show_default="2 per server, or 1 per node"),
    ] = None,
    jobs: Annotated[
        int, typer.Option(min=1, help="Number of files per reader that are read at the same time.")
    ] = FILES_IN_FLIGHT,
    files_per_part: Annotated[
        int, typer.Option(min=1, help="Number of input files per output file.")
    ] = FILES_PER_PART,
    timeout_s: Annotated[
        float, typer.Option("--timeout", help="Maximum time per file, in seconds.")
    ] = DEFAULT_TIMEOUT_S,
    patience_s: Annotated[
        float, typer.Option("--patience", help="Maximum time without an available server, in seconds.")
    ] = PATIENCE_S,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Read the files that failed in earlier runs again.")
    ] = False,
) -> None:
    """Read many files on a Ray cluster. The same command continues an interrupted run.

    Example:
        tritonocr bulk s3://bucket/scans --output s3://bucket/text --url gpu-1:8001 --url gpu-2:8001

    Every node must have the files of --tls-ca, --tls-certificate and --tls-key.

    The command prints each file that failed in this run or in an earlier run, with its error, on standard
    error, and then ends with exit code 1. The other exit codes are those of `tritonocr predict`.
    """
    from ..ray import read_files

    _quiet_ray()
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
        retry_failed=retry_failed,
        **connection(header, tls_ca, tls_certificate, tls_key),
        **dict(map(parsed_option, option or ())),
    )
    seconds = time.monotonic() - started_s
    for uri, error in read.failed.items():
        say(f"{uri}: {error}")
    say(summary(read.files, read.files_done_before, read.pages, len(read.failed), seconds))
    if read.failed and not retry_failed:
        say("add --retry-failed to read the failed files again")
    if read.failed:
        raise typer.Exit(int(ExitCode.FILES_FAILED))


def _quiet_ray() -> None:
    """Hide what Ray logs about its plan and its own settings."""
    logging.getLogger("ray").setLevel(logging.ERROR)
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"ray\.")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # no hint about future versions of Ray


def parsed_option(text: str) -> tuple[str, Any]:
    """Parse `NAME=VALUE` to an option's name and value.

    Raises:
        InvalidInputError: no option has that name, or the value has another type.
    """
    name, equals, value = text.partition("=")
    if not equals or name not in OPTIONS:
        raise InvalidInputError(
            f"--option is {quoted(text)}; expected NAME=VALUE with one of {', '.join(OPTIONS)}."
        )
    try:
        return name, OPTIONS[name].parse(value)
    except OptionValueError as error:
        raise InvalidInputError(f"--option {name} is {error.got}; expected {error.expected}.") from None
