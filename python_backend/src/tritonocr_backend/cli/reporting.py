"""Print errors as one sentence, and downloads as a progress bar."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from tritonocr_backend.core.errors import TritonOcrError
from tritonocr_backend.server.installation import find_installation
from tritonocr_backend.zoo import programs
from tritonocr_backend.zoo.fetch import Progress as ProgressCallback


def say(line: str, *, err: bool = False) -> None:
    """Print a line; ignore a failed write, for example to a full disk, so that the server continues."""
    with suppress(OSError):
        typer.echo(line, err=err)


@contextmanager
def exit_on_error() -> Iterator[None]:
    """Print an expected error or an I/O error as one sentence, and exit with status 1."""
    try:
        yield
    except (TritonOcrError, OSError) as error:
        typer.echo(f"tritonocr: {_sentence(error)}", err=True)
        raise typer.Exit(1) from None


def _sentence(error: Exception) -> str:
    """Return an error's message; for an I/O error the file and the reason, without the error number."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


@contextmanager
def progress_bar(name: str) -> Iterator[ProgressCallback]:
    """Show the download of one file on standard error: a bar on a terminal, otherwise one line with the size.

    Nothing is shown if nothing is downloaded.

    Args:
        name: name of the model or program, as it is shown.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _line_per_source(name)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with ExitStack() as stack:
        bar = Progress(*columns, console=console, transient=True)
        task = bar.add_task(name, total=None)

        def update(source: str, received_bytes: int, total_bytes: int | None) -> None:
            if not bar.live.is_started:
                stack.enter_context(bar)
            bar.update(task, description=f"{name} ← {source}", completed=received_bytes, total=total_bytes)

        yield update


def fetch_tritonserver() -> None:
    """Find tritonserver; show the progress of its download if it is not in the cache.

    Raises:
        ServerError: tritonserver cannot be fetched, or does not fit this Python version.
    """
    with progress_bar(programs.TRITONSERVER.name) as progress:
        find_installation(partial(progress, programs.TRITONSERVER.wheel.label))


def _line_per_source(name: str) -> ProgressCallback:
    """Return a callback that prints one line for each source, as soon as the size is known."""
    announced: set[str] = set()

    def update(source: str, received_bytes: int, total_bytes: int | None) -> None:
        if total_bytes is not None and source not in announced:
            announced.add(source)
            say(f"tritonocr: fetching {name} ({total_bytes / 1e6:.0f} MB) from {source}", err=True)

    return update
