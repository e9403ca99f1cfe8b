"""One run of `tritonocr predict` over a list of files: print, write and record their results."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import typer

from .._client import Prediction
from .._exceptions import InvalidInputError, InvalidOptionError
from .._read_ahead import skipped_pages
from .._results.failure import OCRFailure
from .._results.result import OCRResult
from ._errors import ExitCode, fail, say
from ._jobs import InputJob
from ._journal import Journal
from ._output import TABLE, is_document, save, show, write_document
from ._summary import counted, summary


class _FileFailedError(Exception):
    """A file could not be read completely."""


@dataclass
class Run:
    """One run over a list of jobs."""

    output: str
    save_path: Path | None
    journal: Journal | None
    with_names: bool
    files: int = 0
    pages: int = 0
    failures: int = 0
    started: float = field(default_factory=time.monotonic)

    def do(self, prediction: Prediction, todo: Sequence[InputJob]) -> int:
        """Read the files, print or write their results, and return the number of failed files."""
        files = prediction.pages_by_file([job.source for job in todo])
        try:
            for job, results in zip(todo, files, strict=True):
                self._finish(job, results)
        except KeyboardInterrupt:
            fail(f"interrupted after {counted(self.files, 'file')}", ExitCode.INTERRUPTED)
        except BrokenPipeError:
            sys.stderr.close()  # the reader of the pipe has ended
            raise typer.Exit(int(ExitCode.FILES_FAILED)) from None
        return self.failures

    def _finish(self, job: InputJob, results: Iterable[OCRResult | OCRFailure]) -> None:
        self.files += 1
        failed_pages: list[OCRResult] = []
        try:
            self._put_out(job, self._pages(job, results, failed_pages))
            if failed_pages:
                raise _FileFailedError(f"{counted(len(failed_pages), 'page')} not read")
        except _FileFailedError as failed:
            self.failures += 1
            say(f"{job.shown_name}: {failed}")
        else:
            if self.journal is not None:
                self.journal.add(job)

    def _put_out(self, job: InputJob, pages: Iterable[OCRResult]) -> None:
        folder = None if self.save_path is None else self.save_path / job.folder
        if is_document(self.output, folder):
            _write_document(self.output, pages, folder, job.stem)
            return
        for page in pages:
            if not page.ok:
                continue
            if folder is None or self.output == TABLE:
                show(self.output, page, with_names=self.with_names)
            if folder is not None:
                save(self.output, folder, page)

    def _pages(
        self, job: InputJob, results: Iterable[OCRResult | OCRFailure], failed_pages: list[OCRResult]
    ) -> Iterator[OCRResult]:
        """Yield the pages of a file and add those that were not read to `failed_pages`.

        Raises:
            _FileFailedError: the file itself could not be read.
        """
        count, page = 0, None
        for page in results:
            if isinstance(page, OCRFailure):
                if isinstance(page.error, InvalidOptionError):
                    raise page.error  # the server would reject every other file too
                raise _FileFailedError(str(page.error))
            count += 1
            page.file_stem = job.stem
            for warning in page.warnings:
                say(f"{job.shown_name}: {warning.message}")
            if not page.ok:
                failed_pages.append(page)
                say(f"{job.shown_name}: {page.error}")
            yield page
        self.pages += count - len(failed_pages)
        if sentence := skipped_pages(page, count):
            say(sentence)

    def say_summary(self, skipped: int) -> None:
        """Print the numbers of files, pages and failures, and the throughput."""
        say(summary(self.files, skipped, self.pages, self.failures, time.monotonic() - self.started))


def _write_document(output: str, pages: Iterable[OCRResult], folder: Path | None, stem: str) -> None:
    """Write a document.

    Raises:
        _FileFailedError: the document cannot be made of this file, such as PDF/A of a PDF.
    """
    try:
        write_document(output, pages, folder, stem)
    except InvalidInputError as error:
        if isinstance(error, InvalidOptionError):
            raise
        raise _FileFailedError(str(error)) from error
