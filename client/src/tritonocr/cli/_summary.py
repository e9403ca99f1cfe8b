"""The line with which `predict` and `bulk` end."""

from __future__ import annotations


def summary(files: int, files_before: int, pages: int, failures: int, seconds: float) -> str:
    """What was done, what an earlier run had done before, and how fast."""
    before = f" ({files_before} done before)" if files_before else ""
    done = f"{counted(files, 'file')}{before}, {counted(pages, 'page')}, {failures} failed"
    return f"{done}; {seconds:.1f} s, {pages / seconds:.1f} pages/s"


def counted(count: int, noun: str) -> str:
    """1 file, 2 files."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
