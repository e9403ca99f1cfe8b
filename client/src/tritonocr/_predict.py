"""Reading many files: some in flight, answers in order, a failure in its file's place."""

from __future__ import annotations

import asyncio
import logging
import warnings
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from typing import TypeVar

from ._result import OCRFailure, OCRResult

_T = TypeVar("_T")
_R = TypeVar("_R")
_logger = logging.getLogger("tritonocr")

# Seconds to wait before asking an overloaded server again.
RETRY_PAUSES_S = (0.1, 0.2, 0.4, 0.8, 1.6)
# Files read ahead per job, so that one slow file at the head of the order leaves nobody idle.
AHEAD = 2


class PagesSkippedWarning(UserWarning):
    """A file has more pages than `max_pages` let the server read."""


def in_order(pool: Executor, process: Callable[[_T], _R], items: Iterable[_T], ahead: int) -> Iterator[_R]:
    """Map `process` over `items` in the pool, yielding in order.

    At most `ahead` items are taken and not yet yielded.
    """
    pending = deque[Future[_R]]()
    for item in items:
        pending.append(pool.submit(process, item))
        if len(pending) >= ahead:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()


async def in_order_async(
    process: Callable[[_T], Awaitable[_R]], items: Iterable[_T], jobs: int, ahead: int
) -> AsyncIterator[_R]:
    """Do as `in_order` on the running event loop, with `jobs` calls of `process` running at once."""
    slots = asyncio.Semaphore(jobs)

    async def run(item: _T) -> _R:
        async with slots:
            return await process(item)

    pending = deque[asyncio.Task[_R]]()
    try:
        for item in items:
            pending.append(asyncio.create_task(run(item)))
            if len(pending) >= ahead:
                yield await pending.popleft()
        while pending:
            yield await pending.popleft()
    finally:
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)


def report(results: Iterable[OCRResult | OCRFailure]) -> None:
    """Log a file's failure, and warn once for a file of which pages were left unread."""
    for result in results:
        if isinstance(result, OCRFailure):
            _logger.error("%s", result)
    if sentence := skipped_pages(results):
        warnings.warn(sentence, PagesSkippedWarning, stacklevel=3)


def skipped_pages(results: Iterable[OCRResult | OCRFailure]) -> str | None:
    """Say that `max_pages` left pages of a file unread; None where it did not."""
    pages = [result for result in results if isinstance(result, OCRResult)]
    if not pages or len(pages) == pages[0].page_count:
        return None
    name, count = pages[0].input_path or "The file", pages[0].page_count
    return f"{name} has {count} pages, of which {len(pages)} were read; max_pages={count} reads them all."
