"""The jobs as their workers see them: claim, progress, end.

A claim is a lease. The worker renews it; if the worker is killed, another one claims the job when the lease
is over. A worker that lost its claim, for example because the job was cancelled, cannot change the job.
"""

from __future__ import annotations

import uuid
from typing import Any, Final

import sqlalchemy as sa

from tritonocr_gateway.jobs.database import INPUTS, JOB_COLUMNS, JOBS, PAGES, Job, JobDatabase, job_of
from tritonocr_gateway.jobs.store import end

LEASE_S: Final = 15.0


class LostClaimError(Exception):
    """The job was cancelled, or another worker has claimed it."""


class JobQueue:
    """The queue of a database. All methods block: call them in a thread."""

    def __init__(self, database: JobDatabase) -> None:
        self._database = database

    def claim(self) -> Job | None:
        """Claim the oldest job that is pending, or whose worker was lost; None if there is no such job."""
        now_s = self._database.clock()
        waits = sa.and_(JOBS.c.state.in_(("pending", "running")), JOBS.c.due_s <= now_s)
        oldest = sa.select(*JOB_COLUMNS).where(waits).order_by(JOBS.c.created_s).limit(1)
        with self._database.transaction() as connection:
            row = connection.execute(oldest.with_for_update(skip_locked=True)).first()
            if row is None:
                return None
            was_lost = row.state == "running"
            change = (
                JOBS.update()
                .where(JOBS.c.id == row.id)
                .values(
                    state="running",
                    claim=uuid.uuid4().hex,
                    due_s=now_s + LEASE_S,
                    interruptions=JOBS.c.interruptions + int(was_lost),
                )
                .returning(*JOB_COLUMNS)
            )
            return job_of(connection.execute(change).one())

    def input(self, job: Job) -> bytes:
        """Return the document of a claimed job."""
        chunks = sa.select(INPUTS.c.content).where(INPUTS.c.job_id == job.id).order_by(INPUTS.c.number)
        with self._database.transaction() as connection:
            return b"".join(connection.scalars(chunks))

    def renew(self, job: Job) -> None:
        """Extend a claim.

        Raises:
            LostClaimError: the claim is lost.
        """
        with self._database.transaction() as connection:
            self._change(connection, job, due_s=self._database.clock() + LEASE_S)

    def add_page(self, job: Job, number: int, line: str, total_pages: int) -> None:
        """Store the result of a page, and count it.

        Args:
            job: a claimed job.
            number: index of the page among the pages to read, from 0 on.
            line: the line of the result.
            total_pages: number of pages to read.

        Raises:
            LostClaimError: the claim is lost.
        """
        with self._database.transaction() as connection:
            self._change(connection, job, read_pages=number + 1, total_pages=total_pages, interruptions=0)
            connection.execute(PAGES.insert(), {"job_id": job.id, "number": number, "line": line})

    def release(self, job: Job, delay_s: float = 0.0, *, interrupted: bool = False) -> None:
        """Return a claimed job to the queue. Its pages stay.

        Args:
            job: a claimed job.
            delay_s: seconds until it may be claimed again.
            interrupted: whether the server stopped while it read the job.

        Raises:
            LostClaimError: the claim is lost.
        """
        with self._database.transaction() as connection:
            self._change(
                connection,
                job,
                state="pending",
                claim="",
                due_s=self._database.clock() + delay_s,
                interruptions=JOBS.c.interruptions + int(interrupted),
            )

    def finish(self, job: Job) -> None:
        """Publish the result of a claimed job, and drop its input.

        Raises:
            LostClaimError: the claim is lost.
        """
        self._end(job, "done")

    def fail(self, job: Job, error: str) -> None:
        """End a claimed job with an error, and drop its input and pages.

        Raises:
            LostClaimError: the claim is lost.
        """
        self._end(job, "failed", error)

    def _end(self, job: Job, state: str, error: str = "") -> None:
        with self._database.transaction() as connection:
            if not end(connection, self._database, _claimed(job), state, error):
                raise LostClaimError(job.id)

    def _change(self, connection: sa.Connection, job: Job, **values: Any) -> None:
        changed = connection.execute(JOBS.update().where(_claimed(job)).values(**values))
        if not changed.rowcount:
            raise LostClaimError(job.id)


def _claimed(job: Job) -> Any:
    return sa.and_(JOBS.c.id == job.id, JOBS.c.claim == job.claim, JOBS.c.state == "running")
