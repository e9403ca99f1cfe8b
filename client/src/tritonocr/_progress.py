"""A progress bar for long work on a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import Any, Protocol

# Shorter work needs no bar.
_PATIENCE_S = 2.0


class Advance(Protocol):
    """Count finished work."""

    def __call__(self, *, files: int = 0, pages: int = 0) -> None:
        """Add files and pages to the counts."""


@contextmanager
def progress_bar(files: Iterable[object], enabled: bool | None) -> Iterator[Advance]:
    """Show a progress bar and yield the function that counts files and pages.

    Args:
        files: the files; their number is known unless `files` is an iterator.
        enabled: None shows the bar on a terminal, if rich (extra [cli]) is installed and the work is long.
    """
    bar = _bar() if enabled or (enabled is None and sys.stderr.isatty()) else None
    if bar is None:
        yield lambda *, files=0, pages=0: None
        return
    started_s = time.monotonic()
    task = bar.add_task("", total=len(files) if isinstance(files, Sized) else None, pages=0, rate="")
    counted = 0

    def advance(*, files: int = 0, pages: int = 0) -> None:
        nonlocal counted
        counted += pages
        elapsed_s = time.monotonic() - started_s
        bar.update(task, advance=files, pages=counted, rate=f"{counted / max(elapsed_s, 1e-9):.1f}")
        if not bar.live.is_started and (enabled or elapsed_s > _PATIENCE_S):
            bar.start()

    try:
        yield advance
    finally:
        bar.stop()


def _bar() -> Any:
    try:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
    except ImportError:
        return None
    return Progress(
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("files, {task.fields[pages]} pages, {task.fields[rate]} pages/s, left"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        # Rich redirects printed text to the bar's console, which is wrong if the text goes into a pipe.
        redirect_stdout=sys.stdout.isatty(),
    )
