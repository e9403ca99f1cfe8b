"""Call the webhooks of jobs that have ended, signed as https://www.standardwebhooks.com describes.

A call that fails is repeated, also after a restart of the gateway. A receiver can get a message twice: the
header `webhook-id` is then the same.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import sqlalchemy as sa

from tritonocr import FetchError
from tritonocr_gateway.jobs.database import JOB_COLUMNS, JOBS, Job, JobDatabase, job_of
from tritonocr_gateway.jobs.signatures import signed_headers

_log = logging.getLogger(__name__)

DELAYS_S: Final = (5, 60, 300, 1800, 7200, 18_000)
"""Seconds between two attempts. After the last one, the gateway gives up."""

Post = Callable[[str, bytes, Mapping[str, str]], Awaitable[int]]
"""Sends a body with headers to a URL and returns the status."""


class Webhooks:
    """The webhooks of a database's jobs.

    Args:
        database: the database.
        secret: the secret of the signatures.
        post: sends a message.
        status: builds the `data` of a message.
    """

    def __init__(
        self, database: JobDatabase, secret: str, post: Post, status: Callable[[Job], dict[str, Any]]
    ) -> None:
        self._database, self._secret, self._post, self._status = database, secret, post, status

    async def call_due(self) -> None:
        """Call every webhook that is due, one after the other.

        Raises:
            NotReadyError: the database failed.
        """
        while (job := await asyncio.to_thread(self._claim)) is not None:
            if await self._is_delivered(job):
                await asyncio.to_thread(self._settle, job)

    def _claim(self) -> Job | None:
        """Take a job whose webhook is due, and set the time of the next attempt."""
        now_s = self._database.clock()
        is_due = sa.and_(JOBS.c.webhook_due_s > 0, JOBS.c.webhook_due_s <= now_s)
        query = sa.select(*JOB_COLUMNS).where(is_due).order_by(JOBS.c.webhook_due_s).limit(1)
        with self._database.transaction() as connection:
            row = connection.execute(query.with_for_update(skip_locked=True)).first()
            if row is None:
                return None
            is_last = row.webhook_attempts >= len(DELAYS_S)
            next_s = 0.0 if is_last else now_s + DELAYS_S[row.webhook_attempts]
            change = JOBS.update().where(JOBS.c.id == row.id)
            connection.execute(
                change.values(webhook_due_s=next_s, webhook_attempts=JOBS.c.webhook_attempts + 1)
            )
            return job_of(row)

    async def _is_delivered(self, job: Job) -> bool:
        timestamp = int(self._database.clock())
        message = {"type": f"job.{job.state}", "timestamp": timestamp, "data": self._status(job)}
        body = json.dumps(message, ensure_ascii=False).encode()
        try:
            status = await self._post(
                job.webhook_url, body, signed_headers(self._secret, job.id, timestamp, body)
            )
        except FetchError as error:
            _log.warning("The webhook of job %s failed: %s", job.id, error)
            return False
        if not 200 <= status < 300:
            _log.warning("The webhook of job %s returned status %d; expected 2xx.", job.id, status)
        return 200 <= status < 300

    def _settle(self, job: Job) -> None:
        with self._database.transaction() as connection:
            connection.execute(JOBS.update().where(JOBS.c.id == job.id).values(webhook_due_s=0.0))
