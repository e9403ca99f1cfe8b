"""Read many files: several in flight, results in order, pages as soon as they are read."""

from __future__ import annotations

import asyncio
import logging
import warnings
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator
from contextlib import aclosing
from typing import Generic, TypeAlias, TypeVar

from ._results.failure import OCRFailure
from ._results.result import OCRResult

_T = TypeVar("_T")
_R = TypeVar("_R")
_logger = logging.getLogger("tritonocr")

Result: TypeAlias = "OCRResult | OCRFailure"

# Files read ahead per job: one slow file at the head of the order must not leave the other jobs idle.
AHEAD = 2
# Responses of a file that wait for their turn: few, because a long PDF's pictures need much memory.
RESPONSES_AHEAD = 4


class PagesSkippedWarning(UserWarning):
    """A file has more pages than `max_pages`; the server read only the first ones."""


class ReadAhead(Generic[_T]):
    """Take a few items from an asynchronous generator before the caller needs them.

    Make it inside the event loop.
    """

    def __init__(self, items: AsyncGenerator[_T, None], most: int = RESPONSES_AHEAD) -> None:
        self._queue: asyncio.Queue[_T | _End] = asyncio.Queue(most)
        self._task = asyncio.create_task(self._fill(items))

    async def next(self) -> _T | None:
        """Return the next item, or None after the last; raise the generator's error."""
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
        """Cancel the generator and wait until it is closed."""
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
    """Start items ahead of their turn, and yield each one in its turn.

    Args:
        start: starts an item.
        items: the items; an item is taken only when it can be started.
        ahead: largest number of started items that were not yet yielded and finished.
        started: receives these items, the next one first.
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
    """Warn if pages of a file were not read; see `skipped_pages()`."""
    if sentence := skipped_pages(last, count):
        warnings.warn(sentence, PagesSkippedWarning, stacklevel=stacklevel + 1)


def skipped_pages(last: Result | None, count: int) -> str | None:
    """Return a sentence if `max_pages` left pages of a file unread, else None.

    Args:
        last: the file's last result.
        count: number of its results.
    """
    if not isinstance(last, OCRResult) or last.page_count == count:
        return None
    name, pages = last.input_path or "The file", last.page_count
    return f"{name} has {pages} pages, of which {count} were read; max_pages={pages} reads them all."
