"""Read the pending jobs of a store in the background."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable
from typing import Any

import tritonocr
from tritonocr import AsyncOCRClient, OCRFailure, OCRResult
from tritonocr_gateway.errors import error_details
from tritonocr_gateway.jobs.store import Job, JobStore
from tritonocr_gateway.metrics import Metrics

_log = logging.getLogger(__name__)

CANCELLED = "The job was cancelled."
_POLL_S = 60.0  # between two looks for expired jobs
_RETRY_S = 5.0  # before a job is tried again whose server was unavailable

PageLine = Callable[[Job, OCRResult], dict[str, Any]]


class JobRunner:
    """Read pending jobs with a number of workers. A job whose server is unavailable stays in the queue.

    Args:
        store: the jobs.
        client: the client of Triton.
        page_line: builds the line of a page in the result.
        metrics: counts the pages.
        max_pages: the largest number of pages to read of a document.
    """

    def __init__(
        self, store: JobStore, client: AsyncOCRClient, page_line: PageLine, metrics: Metrics, max_pages: int
    ) -> None:
        self._store, self._client, self._page_line = store, client, page_line
        self._metrics, self._max_pages = metrics, max_pages
        self._has_work = asyncio.Event()
        self._has_work.set()
        self._reading: dict[str, asyncio.Task[None]] = {}

    def wake(self) -> None:
        """Tell the workers that a job is pending."""
        self._has_work.set()

    async def cancel(self, job: Job) -> None:
        """Cancel a job that has not finished."""
        await asyncio.to_thread(self._store.fail, job, CANCELLED)
        if task := self._reading.get(job.id):
            task.cancel()

    async def work(self) -> None:
        """Read one job after the other, without end."""
        while True:
            await asyncio.to_thread(self._store.remove_expired)
            job = await asyncio.to_thread(self._store.claim)
            if job is None:
                self._has_work.clear()
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._has_work.wait(), _POLL_S)
                continue
            await self._read_one(job)

    async def _read_one(self, job: Job) -> None:
        task = asyncio.ensure_future(self._read(job))
        self._reading[job.id] = task
        try:
            await asyncio.wait({task})
            if task.cancelled():
                return  # cancelled by its owner
            error = task.exception()
            if isinstance(error, tritonocr.ServerUnavailableError):
                await asyncio.to_thread(self._store.release, job)
                await asyncio.sleep(_RETRY_S)
            elif isinstance(error, Exception):
                await asyncio.to_thread(self._store.fail, job, error_details(error, job.id).message)
        finally:
            del self._reading[job.id]
            if not task.done():  # the gateway stops: the job goes on after the restart
                task.cancel()
                await asyncio.wait({task})

    async def _read(self, job: Job) -> None:
        content = await asyncio.to_thread(self._store.input_path(job.id).read_bytes)
        options = {"max_pages": self._max_pages, **json.loads(job.options)}
        read_pages = 0
        with self._store.result_writer(job) as write:
            async for result in self._client.predict(content, progress=False, **options):
                if isinstance(result, OCRFailure):
                    raise result.error
                read_pages += 1
                await asyncio.to_thread(write, json.dumps(self._page_line(job, result), ensure_ascii=False))
                await asyncio.to_thread(
                    self._store.progress, job, read_pages, min(result.page_count, options["max_pages"])
                )
                self._metrics.pages.inc()
        await asyncio.to_thread(self._store.finish, job)
