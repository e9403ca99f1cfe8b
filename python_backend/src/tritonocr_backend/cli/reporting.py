"""How the server's commands speak: errors as one sentence, downloads as a progress bar."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from tritonocr_backend.core.errors import TritonOcrError
from tritonocr_backend.zoo.fetch import Progress as ProgressCallback


def say(line: str, *, err: bool = False) -> None:
    """Print a line; a full disk behind the output is no reason to stop serving."""
    with suppress(OSError):
        typer.echo(line, err=err)


@contextmanager
def exit_on_error() -> Iterator[None]:
    """Turn an error raised on purpose, or one of reading or writing, into a sentence and exit status 1."""
    try:
        yield
    except (TritonOcrError, OSError) as error:
        typer.echo(f"tritonocr: {error}", err=True)
        raise typer.Exit(1) from None


@contextmanager
def progress_bar(name: str) -> Iterator[ProgressCallback]:
    """A bar on stderr for the download of one model."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(name, total=None)

        def update(source: str, received_bytes: int, total_bytes: int | None) -> None:
            bar.update(task, description=f"{name} ← {source}", completed=received_bytes, total=total_bytes)

        yield update
