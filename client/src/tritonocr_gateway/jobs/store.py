"""The jobs as their callers see them: submit, look up, cancel, results, expiry."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import sqlalchemy as sa

from tritonocr_gateway.errors import NotFoundError, OverCapacityError
from tritonocr_gateway.jobs.database import (
    INPUTS,
    JOB_COLUMNS,
    JOBS,
    PAGES,
    UNFINISHED,
    Job,
    JobDatabase,
    job_of,
)

CANCELLED: Final = "The job was cancelled."
_CHUNK_BYTES = 4 << 20


@dataclass(frozen=True)
class StoreLimits:
    """Limits of the store.

    Attributes:
        unfinished_per_owner: jobs of one owner that are pending or running.
        input_bytes: bytes of the inputs of all unfinished jobs in the store.
        keep_s: seconds that a job and its result are kept after the job has ended.
    """

    unfinished_per_owner: int
    input_bytes: int
    keep_s: float


@dataclass(frozen=True)
class NewJob:
    """A job to submit; see `Job`."""

    owner: str
    model: str
    options: str
    batch: str = ""
    first_page: int = 1
    webhook_url: str = ""
    base_url: str = ""


class JobStore:
    """The jobs of a database. All methods block: call them in a thread.

    Args:
        database: the database.
        limits: the limits.
    """

    def __init__(self, database: JobDatabase, limits: StoreLimits) -> None:
        self._database, self._limits = database, limits

    def submit(self, new: NewJob, content: bytes) -> Job:
        """Store a new job.

        Raises:
            OverCapacityError: the owner has too many unfinished jobs, or the store is full.
        """
        job = Job(
            **asdict(new),
            id=uuid.uuid4().hex,
            token=secrets.token_urlsafe(32),
            input_bytes=len(content),
            created_s=self._database.clock(),
        )
        chunks = [content[start : start + _CHUNK_BYTES] for start in range(0, len(content), _CHUNK_BYTES)]
        with self._database.transaction(exclusive=True) as connection:
            self._check_capacity(connection, job)
            connection.execute(JOBS.insert(), asdict(job))
            for number, chunk in enumerate(chunks):
                connection.execute(INPUTS.insert(), {"job_id": job.id, "number": number, "content": chunk})
        return job

    def _check_capacity(self, connection: sa.Connection, job: Job) -> None:
        unfinished = JOBS.c.state.in_(UNFINISHED)
        jobs = sa.select(sa.func.count()).where(unfinished, JOBS.c.owner == job.owner)
        count, limits = connection.execute(jobs).scalar_one(), self._limits
        if count >= limits.unfinished_per_owner:
            raise OverCapacityError(
                f"You have {count} unfinished jobs; the limit is {limits.unfinished_per_owner} "
                "(setting max_jobs_per_key)."
            )
        total = sa.select(sa.func.coalesce(sa.func.sum(JOBS.c.input_bytes), 0)).where(unfinished)
        held = int(connection.execute(total).scalar_one())
        if held + job.input_bytes > limits.input_bytes:
            raise OverCapacityError("The job store is full (setting max_job_bytes); try again later.")

    def get(self, job_id: str, owner: str) -> Job:
        """Return a job of an owner.

        Raises:
            NotFoundError: the owner has no such job, or it has expired.
        """
        return self._one(id=job_id, owner=owner)

    def by_token(self, token: str) -> Job:
        """Return the finished job of a result URL.

        Raises:
            NotFoundError: there is no such result, or it has expired.
        """
        return self._one(token=token, state="done")

    def batch(self, batch: str, owner: str) -> list[Job]:
        """Return the jobs of a batch in the order of their submission."""
        return self._jobs(batch=batch, owner=owner)

    def _one(self, **values: str) -> Job:
        jobs = self._jobs(**values)
        if not jobs:
            raise NotFoundError("The job does not exist, or it has expired.")
        return jobs[0]

    def _jobs(self, **values: str) -> list[Job]:
        if not all(value.isprintable() for value in values.values()):
            return []  # PostgreSQL rejects texts with NUL
        conditions = [JOBS.c[name] == value for name, value in values.items()]
        query = sa.select(*JOB_COLUMNS).where(*conditions, ~self._is_expired()).order_by(JOBS.c.created_s)
        with self._database.transaction() as connection:
            return [job_of(row) for row in connection.execute(query)]

    def _is_expired(self) -> Any:
        oldest_s = self._database.clock() - self._limits.keep_s
        return sa.and_(JOBS.c.finished_s > 0, JOBS.c.finished_s < oldest_s)

    def cancel(self, job: Job) -> None:
        """End a job that has not finished. A finished job is not changed."""
        with self._database.transaction() as connection:
            end(connection, self._database, JOBS.c.id == job.id, "failed", CANCELLED)

    def lines(self, job: Job, first: int, count: int) -> Sequence[str]:
        """Return result lines of a job, in the order of the pages.

        Args:
            job: the job.
            first: index of the first line, from 0 on.
            count: largest number of lines.
        """
        in_part = sa.and_(PAGES.c.job_id == job.id, PAGES.c.number >= first, PAGES.c.number < first + count)
        query = sa.select(PAGES.c.line).where(in_part).order_by(PAGES.c.number)
        with self._database.transaction() as connection:
            return connection.scalars(query).all()

    def remove_expired(self) -> None:
        """Remove the jobs and results whose time is over."""
        with self._database.transaction() as connection:
            expired = connection.scalars(sa.select(JOBS.c.id).where(self._is_expired())).all()
            for table, column in ((INPUTS, INPUTS.c.job_id), (PAGES, PAGES.c.job_id), (JOBS, JOBS.c.id)):
                connection.execute(table.delete().where(column.in_(expired)))


def end(
    connection: sa.Connection, database: JobDatabase, condition: Any, state: str, error: str = ""
) -> bool:
    """End a job that has not finished, drop its input, and make its webhook due.

    Returns:
        Whether such a job existed.
    """
    now_s = database.clock()
    change = (
        JOBS.update()
        .where(condition, JOBS.c.state.in_(UNFINISHED))
        .values(
            state=state,
            error=error,
            finished_s=now_s,
            claim="",
            webhook_due_s=sa.case((JOBS.c.webhook_url != "", now_s), else_=0.0),
        )
        .returning(JOBS.c.id)
    )
    job_id = connection.scalar(change)
    if job_id is None:
        return False
    connection.execute(INPUTS.delete().where(INPUTS.c.job_id == job_id))
    if state == "failed":
        connection.execute(PAGES.delete().where(PAGES.c.job_id == job_id))
    return True
