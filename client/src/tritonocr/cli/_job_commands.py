"""`tritonocr jobs`: documents that a gateway reads in the background."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from tritonocr_common import environment
from tritonocr_common.quoting import quoted

from .._exceptions import DeadlineExceededError, InvalidInputError, ServerUnavailableError, missing_extra
from ._errors import ExitCode, say

try:
    from ._job_client import JobClient, JobState
except ImportError as error:
    raise missing_extra("cli", "The command tritonocr jobs", error) from error

_POLL_S = 1.0

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="""Read long documents in the background on a gateway (`tritonocr gateway`).

    The gateway stores each document and its pages. A restart of the gateway or the server does not end a job.

    Example:
        tritonocr jobs submit book.pdf > id

        tritonocr jobs wait $(cat id) --save_path output
    """,
)

Gateway = Annotated[
    str, typer.Option("--gateway", envvar=environment.JOBS_URL, help="Address of the gateway.")
]
Key = Annotated[
    str | None,
    typer.Option(
        "--key",
        envvar=environment.API_KEY,
        help="API key of the gateway. Use the variable, because other users can see the command line.",
        show_default=False,
    ),
]
TlsCa = Annotated[
    Path | None,
    typer.Option(
        "--tls-ca",
        help="PEM file of the authority that signed the gateway's certificate.",
        show_default=False,
    ),
]
Ids = Annotated[
    list[str], typer.Argument(metavar="ID...", help="Ids that `submit` printed.", show_default=False)
]
_GATEWAY = "http://localhost:8080"


@app.command()
def submit(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...",
            help="Images or PDFs, or http(s) URLs that the gateway fetches.",
            show_default=False,
        ),
    ],
    model: Annotated[
        str,
        typer.Option(
            "--model",
            help="PP-OCR…: return text lines; any other name, such as PP-StructureV3: return Markdown.",
        ),
    ] = "PP-OCRv6",
    pages: Annotated[
        str | None, typer.Option("--pages", help="One range of pages, such as 3 or 2-20.", show_default=False)
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(
            "--option",
            help="NAME=VALUE, a field of `POST /ocr` such as useDocUnwarping=false; repeatable.",
            show_default=False,
        ),
    ] = None,
    webhook: Annotated[
        str | None,
        typer.Option(
            "--webhook", help="URL that the gateway calls when a job has ended.", show_default=False
        ),
    ] = None,
    batch: Annotated[
        str | None,
        typer.Option(
            "--batch",
            help="Id of a batch; the gateway reports the states of all jobs of a batch together.",
            show_default=False,
        ),
    ] = None,
    gateway: Gateway = _GATEWAY,
    key: Key = None,
    tls_ca: TlsCa = None,
) -> None:
    """Submit documents, and print the id of each job on a line of its own.

    Example:
        tritonocr jobs submit scans/*.pdf --option lang=de --pages 1-50
    """
    given = {"pageRanges": pages, "webhookUrl": webhook, "batchId": batch}
    fields = {"model": model, **{name: value for name, value in given.items() if value}}
    options = dict(map(_field, option or ()))
    with JobClient(gateway, key, tls_ca) as client:
        for source in inputs:
            typer.echo(client.submit(source, fields, options))


def _field(text: str) -> tuple[str, Any]:
    name, separator, value = text.partition("=")
    if not name or not separator:
        raise InvalidInputError(f"--option: got {quoted(text)}, expected NAME=VALUE.")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


@app.command()
def status(ids: Ids, gateway: Gateway = _GATEWAY, key: Key = None, tls_ca: TlsCa = None) -> None:
    """Print the state of jobs: id, state, pages read, pages to read, and the error of a failed job.

    Example:
        tritonocr jobs status 4f0e…
    """
    with JobClient(gateway, key, tls_ca) as client:
        for job_id in ids:
            typer.echo(_row(client.state(job_id)))


@app.command()
def wait(
    ids: Ids,
    save_path: Annotated[
        Path | None,
        typer.Option(
            "--save_path",
            help="Directory for ID.jsonl, one line per page; default: standard output.",
            show_default=False,
        ),
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(
            "--timeout", help="Maximum time to wait, in seconds; default: no limit.", show_default=False
        ),
    ] = None,
    gateway: Gateway = _GATEWAY,
    key: Key = None,
    tls_ca: TlsCa = None,
) -> None:
    """Wait until jobs have ended, show their progress in pages, and print or save their results.

    The command continues to wait if the gateway restarts. It ends with exit code 1 if a job failed.

    Example:
        tritonocr jobs wait 4f0e… --save_path output
    """
    with JobClient(gateway, key, tls_ca) as client:
        ended = _ended(client, ids, timeout)
        for job in ended:
            if job.state == "done":
                _save(client, job, save_path)
            else:
                say(f"{job.id}: {job.error}")
    if any(job.state == "failed" for job in ended):
        raise typer.Exit(ExitCode.FILES_FAILED)


@app.command()
def cancel(ids: Ids, gateway: Gateway = _GATEWAY, key: Key = None, tls_ca: TlsCa = None) -> None:
    """Cancel jobs that have not ended, and print their states.

    Example:
        tritonocr jobs cancel 4f0e…
    """
    with JobClient(gateway, key, tls_ca) as client:
        for job_id in ids:
            typer.echo(_row(client.cancel(job_id)))


def _row(job: JobState) -> str:
    return "\t".join((job.id, job.state, str(job.read_pages), str(job.total_pages), job.error)).rstrip()


def _ended(client: JobClient, ids: Sequence[str], timeout_s: float | None) -> list[JobState]:
    """Wait until all jobs have ended, with a bar per job on standard error."""
    deadline_s = time.monotonic() + timeout_s if timeout_s else float("inf")
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bars = {job_id: progress.add_task(job_id[:8], total=None) for job_id in ids}
        jobs = [client.state(job_id) for job_id in ids]
        while True:
            for job in jobs:
                _show(progress, bars[job.id], job)
            if all(job.has_ended for job in jobs):
                return jobs
            if time.monotonic() > deadline_s:
                raise DeadlineExceededError(f"The jobs have not ended within {timeout_s:g} s; they go on.")
            time.sleep(_POLL_S)
            with contextlib.suppress(ServerUnavailableError):  # the gateway restarts
                jobs = [client.state(job_id) for job_id in ids]


def _show(progress: Progress, bar: TaskID, job: JobState) -> None:
    text, total = f"{job.id[:8]} {job.state}", job.total_pages or None
    progress.update(bar, description=text, completed=job.read_pages, total=total)


def _save(client: JobClient, job: JobState, save_path: Path | None) -> None:
    if save_path is None:
        for line in client.lines(job):
            sys.stdout.write(f"{line}\n")
        return
    save_path.mkdir(parents=True, exist_ok=True)
    path = save_path / f"{job.id}.jsonl"
    with path.open("w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in client.lines(job))
    typer.echo(path)
