"""Read the jobs of a queue in the background, page by page."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

import tritonocr
from tritonocr import AsyncOCRClient, OCRFailure, OCRResult
from tritonocr_gateway.errors import InvalidRequestError, NotReadyError, error_details
from tritonocr_gateway.jobs.database import Job
from tritonocr_gateway.jobs.queue import LEASE_S, JobQueue, LostClaimError
from tritonocr_gateway.jobs.remaining_pages import without_first_pages
from tritonocr_gateway.metrics import Metrics

_log = logging.getLogger(__name__)

MAX_INTERRUPTIONS: Final = 5  # without a page in between: the document itself then stops the server
_POLL_S: Final = 5.0  # between two searches for jobs that other gateways have left
_RETRY_S: Final = 5.0  # before a job is tried again, or an unavailable server or database

Ready = Callable[[], Awaitable[bool]]
"""Returns whether the server reads pages."""
PageLine = Callable[[Job, OCRResult, int], dict[str, Any]]
"""Builds the line of a page from the job, the page and the number of pages of the document."""


class _UnfinishedError(Exception):
    """The time limit of a request is over, and pages were read within it."""


class JobRunner:
    """Read jobs with a number of workers. Jobs stay in the queue while the server is unavailable.

    Args:
        queue: the jobs.
        client: the client of Triton.
        ready: tells whether the server reads pages.
        page_line: builds the line of a page in the result.
        metrics: counts the pages.
        max_pages: the largest number of pages to read of a document.
        ended: is called when a job has ended.
    """

    def __init__(
        self,
        queue: JobQueue,
        client: AsyncOCRClient,
        ready: Ready,
        page_line: PageLine,
        metrics: Metrics,
        max_pages: int,
        ended: Callable[[], None] = lambda: None,
    ) -> None:
        self._queue, self._client, self._ready, self._page_line = queue, client, ready, page_line
        self._metrics, self._max_pages, self._ended = metrics, max_pages, ended
        self._submitted, self._submissions = asyncio.Condition(), 0
        self._reading: dict[str, asyncio.Task[None]] = {}

    async def wake(self) -> None:
        """Tell the workers that a job is pending."""
        async with self._submitted:
            self._submissions += 1
            self._submitted.notify_all()

    def stop(self, job: Job) -> None:
        """Stop the reading of a job that was cancelled."""
        if task := self._reading.get(job.id):
            task.cancel()

    async def work(self) -> None:
        """Read one job after the other, without end."""
        while True:
            submissions = self._submissions
            try:
                job = await self._next()
                if job is not None:
                    await self._read_one(job)
                    continue
            except (NotReadyError, LostClaimError):
                pass  # the database has logged the error
            except Exception:
                _log.exception("A worker of the job API failed; it goes on.")
            await self._wait_for_work(submissions)

    async def _next(self) -> Job | None:
        """Claim a job if the server can read it now."""
        health = await self._client.health()
        return await asyncio.to_thread(self._queue.claim) if health.model_ready else None

    async def _wait_for_work(self, submissions: int) -> None:
        """Wait until another job is submitted after `submissions` jobs, or until it is time to look again."""
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._another_submission(submissions), _POLL_S)

    async def _another_submission(self, submissions: int) -> None:
        async with self._submitted:
            await self._submitted.wait_for(lambda: self._submissions != submissions)

    async def _read_one(self, job: Job) -> None:
        if job.interruptions >= MAX_INTERRUPTIONS:
            page = job.first_page + job.read_pages
            await self._fail(job, f"The OCR server or the gateway stopped at page {page} again and again.")
            return
        if job.interruptions and not await self._ready():
            await asyncio.to_thread(self._queue.release, job, _RETRY_S)
            return
        task = self._reading[job.id] = asyncio.ensure_future(self._read(job))
        renewal = asyncio.ensure_future(self._renew(job, task))
        try:
            await asyncio.wait({task})
            if not task.cancelled():
                await self._settle(job, task.exception())
        finally:
            del self._reading[job.id]
            renewal.cancel()
            if not task.done():  # the gateway stops: the job continues after the restart
                task.cancel()
                await asyncio.wait({task})
                with contextlib.suppress(LostClaimError, NotReadyError):
                    await asyncio.to_thread(self._queue.release, job)

    async def _renew(self, job: Job, task: asyncio.Task[None]) -> None:
        """Renew the claim while a job is read. Cancel the task if the claim is lost."""
        while True:
            await asyncio.sleep(LEASE_S / 3)
            try:
                await asyncio.to_thread(self._queue.renew, job)
            except LostClaimError:
                task.cancel()
                return
            except NotReadyError:
                continue  # the database may be back before the claim ends

    async def _settle(self, job: Job, error: BaseException | None) -> None:
        """Record how the reading of a job ended."""
        if error is None:
            await asyncio.to_thread(self._queue.finish, job)
            self._ended()
        elif isinstance(error, _UnfinishedError):
            await asyncio.to_thread(self._queue.release, job)
        elif isinstance(error, tritonocr.OverloadedError):
            await asyncio.to_thread(self._queue.release, job, _RETRY_S)
        elif isinstance(error, tritonocr.ServerUnavailableError):
            await asyncio.to_thread(self._queue.release, job, _RETRY_S, interrupted=True)
        elif isinstance(error, (LostClaimError, NotReadyError)):
            raise error
        elif isinstance(error, Exception):
            await self._fail(job, error_details(error, job.id).message)

    async def _fail(self, job: Job, message: str) -> None:
        await asyncio.to_thread(self._queue.fail, job, message)
        self._ended()

    async def _read(self, job: Job) -> None:
        options = {"max_pages": self._max_pages, **json.loads(job.options)}
        if job.total_pages and job.read_pages >= job.total_pages:
            return  # the gateway stopped before it recorded the end
        first = job.first_page - 1 + job.read_pages  # index of the first page to read
        content = await asyncio.to_thread(self._queue.input, job)
        rest, cut = await asyncio.to_thread(without_first_pages, content, first)
        options["max_pages"] += first - cut - job.read_pages
        index, page_count = cut, 0
        try:
            async for result in self._client.predict(rest, progress=False, retry=False, **options):
                if isinstance(result, OCRFailure):
                    raise result.error
                page_count = cut + result.page_count
                if index >= first:
                    await self._add(job, index, result, page_count)
                index += 1
        except tritonocr.DeadlineExceededError as error:
            if index > first:
                raise _UnfinishedError from error
            raise
        if page_count < job.first_page:
            raise InvalidRequestError(
                f"pageRanges starts at page {job.first_page}; the document has {page_count} pages."
            )

    async def _add(self, job: Job, index: int, page: OCRResult, page_count: int) -> None:
        skipped = job.first_page - 1
        total = min(page_count - skipped, json.loads(job.options).get("max_pages", self._max_pages))
        line = json.dumps(self._page_line(job, page, page_count), ensure_ascii=False)
        await asyncio.to_thread(self._queue.add_page, job, index - skipped, line, total)
        self._metrics.pages.inc()
