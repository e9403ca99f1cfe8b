"""Reading many files: some in flight, answers in order, pages as they come, a failure in its file's place."""

from __future__ import annotations

import asyncio
import logging
import warnings
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator
from contextlib import aclosing
from typing import Generic, TypeAlias, TypeVar

from ._results.result import OCRFailure, OCRResult

_T = TypeVar("_T")
_R = TypeVar("_R")
_logger = logging.getLogger("tritonocr")

Result: TypeAlias = "OCRResult | OCRFailure"

# Files read ahead per job, so that one slow file at the head of the order leaves nobody idle.
AHEAD = 2
# Responses of a file that wait for their turn: few, so that a long PDF's pictures are never all here at once.
RESPONSES_AHEAD = 4


class PagesSkippedWarning(UserWarning):
    """A file has more pages than `max_pages` let the server read."""


class ReadAhead(Generic[_T]):
    """Takes items from an asynchronous generator before they are asked for, up to a few.

    Make it inside the event loop.
    """

    def __init__(self, items: AsyncGenerator[_T, None], most: int = RESPONSES_AHEAD) -> None:
        self._queue: asyncio.Queue[_T | _End] = asyncio.Queue(most)
        self._task = asyncio.create_task(self._fill(items))

    async def next(self) -> _T | None:
        """The next item, or None after the last; raises what the generator raised."""
        item = await self._queue.get()
        if not isinstance(item, _End):
            return item
        if item.error is not None:
            raise item.error
        return None

    async def __aiter__(self) -> AsyncIterator[_T]:
        while (item := await self.next()) is not None:
            yield item

    async def cancel(self) -> None:
        """Close the generator, wherever it is."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _fill(self, items: AsyncGenerator[_T, None]) -> None:
        end = _End(None)
        try:
            async with aclosing(items):
                async for item in items:
                    await self._queue.put(item)
        except Exception as error:
            end = _End(error)
        await self._queue.put(end)


class _End:
    def __init__(self, error: Exception | None) -> None:
        self.error = error


def in_turn(start: Callable[[_T], _R], items: Iterable[_T], ahead: int, started: deque[_R]) -> Iterator[_R]:
    """Start items ahead of their turn, and yield each when it comes.

    Args:
        start: starts one.
        items: taken as they are needed: at most `ahead` are started and not yet done with.
        ahead: how many.
        started: holds those, the one whose turn it is first.
    """
    for item in items:
        started.append(start(item))
        if len(started) >= ahead:
            yield started[0]
            started.popleft()
    while started:
        yield started[0]
        started.popleft()


def log_failures(results: Iterable[Result]) -> None:
    """Log the failures among the results."""
    for result in results:
        if isinstance(result, OCRFailure):
            _logger.error("%s", result)
            continue
        if not result.ok:
            _logger.error("%s: %s", result.input_path or "the input", result.error)
        for warning in result.warnings:
            _logger.warning("%s: %s", result.input_path or "the input", warning.message)


def warn_of_skipped_pages(last: Result | None, count: int, stacklevel: int) -> None:
    """Warn, for a file, if pages were left unread; see `skipped_pages()`."""
    if sentence := skipped_pages(last, count):
        warnings.warn(sentence, PagesSkippedWarning, stacklevel=stacklevel + 1)


def skipped_pages(last: Result | None, count: int) -> str | None:
    """Say that `max_pages` left pages of a file unread; None where it did not.

    Args:
        last: the file's last result.
        count: how many it has.
    """
    if not isinstance(last, OCRResult) or last.page_count == count:
        return None
    name, pages = last.input_path or "The file", last.page_count
    return f"{name} has {pages} pages, of which {count} were read; max_pages={pages} reads them all."
