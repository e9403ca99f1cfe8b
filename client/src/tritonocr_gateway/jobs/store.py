"""The store of jobs: an SQLite file for the states, and one folder for the inputs and results."""

from __future__ import annotations

import fcntl
import logging
import secrets
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import IO, Any, Literal

from tritonocr_gateway.errors import NotFoundError, NotReadyError, OverCapacityError

_log = logging.getLogger(__name__)

State = Literal["pending", "running", "done", "failed"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY, owner TEXT NOT NULL, batch TEXT NOT NULL, model TEXT NOT NULL, options TEXT NOT NULL,
    state TEXT NOT NULL, input_bytes INTEGER NOT NULL, total_pages INTEGER NOT NULL,
    read_pages INTEGER NOT NULL, error TEXT NOT NULL, token TEXT NOT NULL UNIQUE,
    created_s REAL NOT NULL, finished_s REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS jobs_by_state ON jobs (state, created_s);
"""


@dataclass(frozen=True)
class Job:
    """One job.

    Attributes:
        id: the job's id; it cannot be guessed.
        owner: who submitted the job.
        batch: the batch that the caller named; empty for none.
        model: the model that the caller named.
        options: the options of the request as JSON.
        state: the state.
        input_bytes: the size of the input.
        total_pages: pages of the document; 0 until they are known.
        read_pages: pages that have been read.
        error: why the job failed; empty otherwise.
        token: the part of the result's URL that cannot be guessed.
        created_s: when the job was submitted, in seconds since 1970.
        finished_s: when the job ended, in seconds since 1970; 0 until then.
    """

    id: str
    owner: str
    batch: str
    model: str
    options: str
    state: State
    input_bytes: int
    total_pages: int
    read_pages: int
    error: str
    token: str
    created_s: float
    finished_s: float


_COLUMNS = ", ".join(field.name for field in fields(Job))


def _locked(path: Path) -> IO[str]:
    """Open a file with an exclusive lock, which the system releases when the process ends."""
    file = path.open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise
    return file


@dataclass(frozen=True)
class StoreLimits:
    """Limits of the store.

    Attributes:
        unfinished_per_owner: jobs of one owner that are pending or running.
        input_bytes: bytes of the inputs of all jobs in the store.
        keep_s: seconds that a job and its result are kept after the job has ended.
    """

    unfinished_per_owner: int
    input_bytes: int
    keep_s: float


class JobStore:
    """Jobs in a folder. One process at a time uses a folder. All methods block: call them in a thread.

    Args:
        directory: the folder, which is created.
        limits: the limits.
        clock: returns the seconds since 1970.

    Raises:
        NotReadyError: another process uses the folder, or it cannot be written to.
    """

    def __init__(self, directory: Path, limits: StoreLimits, clock: Callable[[], float] = time.time) -> None:
        self._directory, self._limits, self._clock = directory, limits, clock
        self._mutex = threading.Lock()
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = _locked(directory / "lock")
            self._database = sqlite3.connect(
                directory / "jobs.sqlite", check_same_thread=False, isolation_level=None
            )
            self._database.executescript(_SCHEMA)
            self._database.execute(
                "UPDATE jobs SET state = 'pending', read_pages = 0 WHERE state = 'running'"
            )
        except (OSError, sqlite3.Error) as error:
            _log.error("The job store %s cannot be opened: %s", directory, error)  # the client gets no path
            raise NotReadyError("The job store cannot be opened (setting jobs_directory).") from error

    def close(self) -> None:
        """Close the database and release the folder."""
        with self._mutex:
            self._database.close()
            self._lock.close()

    def submit(self, owner: str, content: bytes, model: str, options: str, batch: str) -> Job:
        """Store a new job.

        Raises:
            OverCapacityError: the owner has too many unfinished jobs, or the store is full.
        """
        job_id, token, now_s = uuid.uuid4().hex, secrets.token_urlsafe(32), self._clock()
        job = Job(job_id, owner, batch, model, options, "pending", len(content), 0, 0, "", token, now_s, 0)
        with self._mutex:
            self._check_capacity(owner, len(content))
            partial = self.input_path(job_id).with_suffix(".part")
            partial.write_bytes(content)
            partial.replace(self.input_path(job_id))
            values = [getattr(job, field.name) for field in fields(Job)]
            marks = ", ".join("?" * len(values))
            self._database.execute(f"INSERT INTO jobs ({_COLUMNS}) VALUES ({marks})", values)  # noqa: S608
        return job

    def _check_capacity(self, owner: str, input_bytes: int) -> None:
        (unfinished,) = self._row(
            "SELECT count(*) FROM jobs WHERE owner = ? AND state IN ('pending', 'running')", owner
        )
        if unfinished >= self._limits.unfinished_per_owner:
            raise OverCapacityError(
                f"You have {unfinished} unfinished jobs; the limit is {self._limits.unfinished_per_owner} "
                "(setting max_jobs_per_key)."
            )
        (held,) = self._row("SELECT coalesce(sum(input_bytes), 0) FROM jobs")
        if held + input_bytes > self._limits.input_bytes:
            raise OverCapacityError("The job store is full (setting max_job_bytes); try again later.")

    def get(self, job_id: str, owner: str) -> Job:
        """Return a job of an owner.

        Raises:
            NotFoundError: the owner has no such job, or it has expired.
        """
        return self._one(f"SELECT {_COLUMNS} FROM jobs WHERE id = ? AND owner = ?", job_id, owner)  # noqa: S608

    def batch(self, batch: str, owner: str) -> list[Job]:
        """Return the jobs of a batch in the order of their submission."""
        query = f"SELECT {_COLUMNS} FROM jobs WHERE batch = ? AND owner = ? ORDER BY created_s"  # noqa: S608
        with self._mutex:
            return [Job(*row) for row in self._database.execute(query, (batch, owner))]

    def by_token(self, token: str) -> Job:
        """Return the finished job of a result URL.

        Raises:
            NotFoundError: there is no such result, or it has expired.
        """
        return self._one(f"SELECT {_COLUMNS} FROM jobs WHERE token = ? AND state = 'done'", token)  # noqa: S608

    def _one(self, query: str, *values: Any) -> Job:
        with self._mutex:
            row = self._row(query, *values)
        job = Job(*row) if row else None
        if job is None or (job.finished_s and job.finished_s + self._limits.keep_s < self._clock()):
            raise NotFoundError("The job does not exist, or it has expired.")
        return job

    def claim(self) -> Job | None:
        """Take the oldest pending job and set its state to running."""
        with self._mutex:
            row = self._row(
                f"SELECT {_COLUMNS} FROM jobs WHERE state = 'pending' ORDER BY created_s LIMIT 1"  # noqa: S608
            )
            if not row:
                return None
            self._database.execute("UPDATE jobs SET state = 'running' WHERE id = ?", (row[0],))
        return Job(*row)

    def release(self, job: Job) -> None:
        """Return a running job to the queue."""
        self._update(job, "state = 'pending', read_pages = 0")

    def progress(self, job: Job, read_pages: int, total_pages: int) -> None:
        """Record how many pages of a running job have been read."""
        self._update(job, "read_pages = ?, total_pages = ?", read_pages, total_pages)

    def finish(self, job: Job) -> None:
        """Publish the result of a running job, and drop its input."""
        self._partial_result(job.id).replace(self.result_path(job.id))
        self._update(job, "state = 'done', finished_s = ?", self._clock())
        self.input_path(job.id).unlink(missing_ok=True)

    def fail(self, job: Job, error: str) -> None:
        """End a job that has not finished with an error, and drop its input and partial result."""
        self._update(job, "state = 'failed', error = ?, finished_s = ?", error, self._clock())
        for path in (self.input_path(job.id), self._partial_result(job.id)):
            path.unlink(missing_ok=True)

    def _update(self, job: Job, changes: str, *values: Any) -> None:
        """Change a job that has not finished: a cancelled job stays cancelled."""
        with self._mutex:
            self._database.execute(
                f"UPDATE jobs SET {changes} WHERE id = ? AND state IN ('pending', 'running')",  # noqa: S608
                (*values, job.id),
            )

    def remove_expired(self) -> None:
        """Remove the jobs and results whose time is over."""
        with self._mutex:
            query = "DELETE FROM jobs WHERE finished_s > 0 AND finished_s < ? RETURNING id"
            expired = self._database.execute(query, (self._clock() - self._limits.keep_s,)).fetchall()
        for (job_id,) in expired:
            for path in (self.input_path(job_id), self.result_path(job_id)):
                path.unlink(missing_ok=True)

    @contextmanager
    def result_writer(self, job: Job) -> Iterator[Callable[[str], None]]:
        """Open the partial result of a running job, and yield a function that appends a line."""
        with self._partial_result(job.id).open("w", encoding="utf-8") as file:
            yield lambda line: print(line, file=file, flush=True)

    def input_path(self, job_id: str) -> Path:
        """Return the path of a job's input."""
        return self._directory / f"{job_id}.input"

    def result_path(self, job_id: str) -> Path:
        """Return the path of a finished job's result."""
        return self._directory / f"{job_id}.jsonl"

    def _partial_result(self, job_id: str) -> Path:
        return self._directory / f"{job_id}.jsonl.part"

    def _row(self, query: str, *values: Any) -> Any:
        return self._database.execute(query, values).fetchone()
