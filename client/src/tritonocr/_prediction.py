"""One call of `predict()`, for both clients."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Protocol

from ._exceptions import ServerUnavailableError, TritonOCRError
from ._inputs.content import File
from ._inputs.sources import Source, is_single, sources
from ._options import checked_options
from ._progress import progress_bar
from ._read_ahead import AHEAD, ReadAhead, Result, in_turn, log_failures, warn_of_skipped_pages
from ._results.failure import OCRFailure
from ._results.result import OCRResult
from ._transport.retrying import Retry


class ReadFile(Protocol):
    """The function that reads one file: `AsyncOCRClient.responses`."""

    def __call__(
        self,
        file: File,
        options: Mapping[str, Any],
        *,
        input_path: str | None,
    ) -> AsyncGenerator[list[OCRResult], None]:
        """Yield the pages of each response."""


@dataclass(frozen=True, eq=False)
class AsyncPrediction:
    """One call of `predict()`.

    Attributes:
        read: reads one file.
        options: checked options.
        raises: whether a file's error ends the call; otherwise an `OCRFailure` takes the file's place.
        jobs: files in flight.
        progress: whether to show a progress bar; None: on a terminal.
    """

    read: ReadFile
    options: Mapping[str, Any]
    raises: bool
    jobs: int
    progress: bool | None

    async def pages(self, files: Iterable[Source]) -> AsyncIterator[Result]:
        """Yield the results of all pages and the failures of files in order."""
        slots = asyncio.Semaphore(self.jobs)
        started: deque[ReadAhead[Sequence[Result]]] = deque()
        in_order = in_turn(lambda source: self.start(source, slots), files, AHEAD * self.jobs, started)
        try:
            with progress_bar(files, self.progress) as advance:
                for reading in in_order:
                    count, last = 0, None
                    async for results in reading:
                        log_failures(results)
                        advance(pages=len(results))
                        for last in results:
                            count += 1
                            yield last
                    advance(files=1)
                    warn_of_skipped_pages(last, count, stacklevel=2)
        finally:
            await asyncio.gather(*(reading.cancel() for reading in started))

    def start(self, source: Source, slots: asyncio.Semaphore) -> ReadAhead[Sequence[Result]]:
        """Start reading a file as soon as a slot is free; call it inside the event loop."""
        return ReadAhead(self._results(source, slots))

    async def _results(
        self, source: Source, slots: asyncio.Semaphore
    ) -> AsyncGenerator[Sequence[Result], None]:
        """Yield the pages of each response of a file, or the file's failure."""
        async with slots:
            try:
                file = await asyncio.to_thread(source.load)
                responses = self.read(file, self.options, input_path=source.input_path)
                async with aclosing(responses):
                    async for pages in responses:
                        yield pages
            except ServerUnavailableError:
                raise  # all other files would fail too
            except TritonOCRError as error:
                if self.raises:
                    raise
                yield [OCRFailure(source.input_path, error)]


def prediction_arguments(
    data: Any,
    *,
    recursive: bool = False,
    raise_on_error: bool | None = None,
    jobs: int | None = None,
    timeout_s: float | None = None,
    retry: Retry | None = None,
    progress: bool | None = None,
    **options: Any,
) -> tuple[dict[str, Any], Iterable[Source]]:
    """Separate the arguments of `predict()`.

    Returns:
        The arguments of the client's `prediction()`, and the files.

    Raises:
        InvalidInputError: an option is unknown or has a wrong value.
    """
    arguments = {
        "options": checked_options(options),
        "raises": is_single(data) if raise_on_error is None else raise_on_error,
        "jobs": jobs,
        "timeout_s": timeout_s,
        "retry": retry,
        "progress": progress,
    }
    return arguments, sources(data, recursive=recursive)
