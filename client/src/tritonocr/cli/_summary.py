"""The last line of `predict` and `bulk`."""

from __future__ import annotations


def summary(files: int, files_before: int, pages: int, failures: int, seconds: float) -> str:
    """Return a sentence with the counts of this run, of earlier runs, and the pages per second."""
    before = f" ({files_before} done before)" if files_before else ""
    done = f"{counted(files, 'file')}{before}, {counted(pages, 'page')}, {failures} failed"
    return f"{done}; {seconds:.1f} s, {pages / seconds:.1f} pages/s"


def counted(count: int, noun: str) -> str:
    """Return a number with its noun: 1 file, 2 files."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
