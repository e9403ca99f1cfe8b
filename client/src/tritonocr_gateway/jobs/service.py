"""The job store, its workers and its webhooks, as long as a gateway runs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

from tritonocr_gateway.errors import NotReadyError
from tritonocr_gateway.jobs.database import Job, JobDatabase, existing_sqlite_file
from tritonocr_gateway.jobs.queue import JobQueue
from tritonocr_gateway.jobs.runner import JobRunner, PageLine
from tritonocr_gateway.jobs.store import JobStore, StoreLimits
from tritonocr_gateway.jobs.webhooks import Webhooks
from tritonocr_gateway.service import Service

_log = logging.getLogger(__name__)

_OPEN_AGAIN_S: Final = 5.0
_REMOVE_EXPIRED_S: Final = 60.0
_WEBHOOKS_S: Final = 5.0


@dataclass(frozen=True)
class OpenJobs:
    """The opened store and the runner of its jobs."""

    database: JobDatabase
    store: JobStore
    runner: JobRunner


class Jobs:
    """The jobs of one gateway. The store opens at startup if it exists, else at first use.

    Args:
        service: the shared objects of the gateway.
        page_line: builds the line of a page in the result.
        status: builds the data of a webhook's message.
    """

    def __init__(
        self, service: Service, page_line: PageLine, status: Callable[[Job], dict[str, Any]]
    ) -> None:
        self._service, self._page_line, self._status = service, page_line, status
        self._lock = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []
        self._opened: OpenJobs | None = None
        self._job_ended = asyncio.Event()

    def start(self) -> None:
        """Open an existing store in the background, so that its jobs go on."""
        settings = self._service.settings
        if settings.jobs_database or existing_sqlite_file(settings.jobs_directory):
            self._start(self._keep_opening())

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.create_task(work))

    async def _keep_opening(self) -> None:
        while self._opened is None:
            # Without its store the job API answers 503; the other protocols do not need it.
            with contextlib.suppress(NotReadyError):
                await self.open()
                return
            await asyncio.sleep(_OPEN_AGAIN_S)

    async def open(self) -> OpenJobs:
        """Return the store and the runner.

        Raises:
            NotReadyError: the store cannot be opened.
        """
        async with self._lock:
            if self._opened is None:
                self._opened = await self._open()
            return self._opened

    async def _open(self) -> OpenJobs:
        settings, service = self._service.settings, self._service
        url = settings.jobs_database.get_secret_value() if settings.jobs_database else ""
        database = await asyncio.to_thread(JobDatabase, settings.jobs_directory, url)
        limits = StoreLimits(settings.max_jobs_per_key, settings.max_job_bytes, settings.job_keep_s)
        store = JobStore(database, limits)
        runner = JobRunner(
            JobQueue(database),
            service.client,
            service.readiness.is_ready,
            self._page_line,
            service.metrics,
            settings.job_max_pages,
            self._job_ended.set,
        )
        for _ in range(settings.job_workers):
            self._start(runner.work())
        self._start(_repeat(lambda: asyncio.to_thread(store.remove_expired), _REMOVE_EXPIRED_S))
        if settings.webhook_secret:
            secret = settings.webhook_secret.get_secret_value()
            webhooks = Webhooks(database, secret, service.fetcher.post, self._status)
            self._start(_repeat(webhooks.call_due, _WEBHOOKS_S, self._job_ended))
        return OpenJobs(database, store, runner)

    async def cancel(self, job: Job) -> None:
        """Cancel a job that has not finished."""
        jobs = await self.open()
        await asyncio.to_thread(jobs.store.cancel, job)
        jobs.runner.stop(job)
        self._job_ended.set()

    async def close(self) -> None:
        """Stop the workers. Running jobs go on after the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._opened is not None:
            self._opened.database.close()


async def _repeat(
    work: Callable[[], Coroutine[Any, Any, None]], interval_s: float, wake: asyncio.Event | None = None
) -> None:
    """Do work again and again, with a pause that an event ends early."""
    event = wake or asyncio.Event()
    while True:
        event.clear()
        with contextlib.suppress(NotReadyError):  # the database has logged the error
            await work()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(event.wait(), interval_s)
