"""The tables of the jobs, in an SQLite file or in a PostgreSQL database, through SQLAlchemy Core.

A queue library would bring its own tables, but no results of pages, no progress and no limits per key. The
queue itself is one statement: take the oldest job that is due, and skip the rows that others have locked.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, Literal

import sqlalchemy as sa

from tritonocr_gateway.errors import NotReadyError

_log = logging.getLogger(__name__)

State = Literal["pending", "running", "done", "failed"]
UNFINISHED: Final = ("pending", "running")

_FILE_NAME = "tritonocr-jobs.db"
_LOCK_TIMEOUT_S = 30
_SUBMISSIONS_LOCK = 0x7472_6F63  # any number that no other program uses in this PostgreSQL database

METADATA: Final = sa.MetaData()
_TEXT, _SECONDS = sa.Text, sa.Double
JOBS: Final = sa.Table(
    "tritonocr_jobs",
    METADATA,
    sa.Column("id", _TEXT, primary_key=True),
    sa.Column("owner", _TEXT, nullable=False),
    sa.Column("batch", _TEXT, nullable=False),
    sa.Column("model", _TEXT, nullable=False),
    sa.Column("options", _TEXT, nullable=False),
    sa.Column("first_page", sa.Integer, nullable=False),
    sa.Column("webhook_url", _TEXT, nullable=False),
    sa.Column("base_url", _TEXT, nullable=False),
    sa.Column("token", _TEXT, nullable=False, unique=True),
    sa.Column("input_bytes", sa.BigInteger, nullable=False),
    sa.Column("created_s", _SECONDS, nullable=False),
    sa.Column("state", _TEXT, nullable=False, default="pending"),
    sa.Column("total_pages", sa.Integer, nullable=False, default=0),
    sa.Column("read_pages", sa.Integer, nullable=False, default=0),
    sa.Column("error", _TEXT, nullable=False, default=""),
    sa.Column("finished_s", _SECONDS, nullable=False, default=0.0),
    sa.Column("claim", _TEXT, nullable=False, default=""),
    sa.Column("due_s", _SECONDS, nullable=False, default=0.0),
    sa.Column("interruptions", sa.Integer, nullable=False, default=0),
    sa.Column("webhook_due_s", _SECONDS, nullable=False, default=0.0),
    sa.Column("webhook_attempts", sa.Integer, nullable=False, default=0),
    sa.Index("tritonocr_jobs_by_state", "state", "created_s"),
    sa.Index("tritonocr_jobs_by_owner", "owner", "batch"),
)
INPUTS: Final = sa.Table(
    "tritonocr_job_inputs",
    METADATA,
    sa.Column("job_id", _TEXT, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("content", sa.LargeBinary, nullable=False),
)
PAGES: Final = sa.Table(
    "tritonocr_job_pages",
    METADATA,
    sa.Column("job_id", _TEXT, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("line", _TEXT, nullable=False),
)


@dataclass(frozen=True)
class Job:
    """One job.

    Attributes:
        id: the job's id; it cannot be guessed.
        owner: who submitted the job.
        batch: the batch that the caller named; empty for none.
        model: the model that the caller named.
        options: the options of the request as JSON.
        first_page: number of the first page to read, from 1 on.
        webhook_url: receives a message when the job has ended; empty for none.
        base_url: address of the gateway as the caller wrote it, for the result's URL.
        token: the part of the result's URL that cannot be guessed.
        input_bytes: the size of the input.
        created_s: when the job was submitted, in seconds since 1970.
        state: the state.
        total_pages: pages to read; 0 until they are known.
        read_pages: pages that have been read.
        error: why the job failed; empty otherwise.
        finished_s: when the job ended, in seconds since 1970; 0 until then.
        claim: names the worker that reads the job; a worker that lost its claim can change nothing.
        due_s: a pending job is not started before this time; the claim of a running job ends then.
        interruptions: how often a worker or the server has stopped since the last page was read.
        webhook_due_s: when to call the webhook; 0: never, or no longer.
        webhook_attempts: how often the webhook was called.
    """

    id: str
    owner: str
    batch: str
    model: str
    options: str
    first_page: int
    webhook_url: str
    base_url: str
    token: str
    input_bytes: int
    created_s: float
    state: State = "pending"
    total_pages: int = 0
    read_pages: int = 0
    error: str = ""
    finished_s: float = 0.0
    claim: str = ""
    due_s: float = 0.0
    interruptions: int = 0
    webhook_due_s: float = 0.0
    webhook_attempts: int = 0


JOB_COLUMNS: Final = [JOBS.c[field.name] for field in fields(Job)]


def job_of(row: Any) -> Job:
    """Return the job of a row with `JOB_COLUMNS`."""
    return Job(**row._mapping)


class JobDatabase:
    """The database of the jobs. All methods block: call them in a thread.

    Args:
        directory: the folder of the SQLite file, which is created; used where `url` is empty.
        url: the URL of a PostgreSQL database, which several gateways can share.
        clock: returns the seconds since 1970.

    Raises:
        NotReadyError: the database cannot be opened.
    """

    def __init__(self, directory: Path, url: str = "", clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        try:
            self._engine = _postgresql(url) if url else _sqlite(directory)
            with self._engine.begin() as connection:
                _lock(connection)  # two gateways that start at the same time
                METADATA.create_all(connection)
        except (OSError, ImportError, sa.exc.SQLAlchemyError) as error:
            _log.error("The job store %s cannot be opened: %s", "in PostgreSQL" if url else directory, error)
            setting = "jobs_database" if url else "jobs_directory"
            raise NotReadyError(f"The job store cannot be opened (setting {setting}).") from error

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    @contextmanager
    def transaction(self, *, exclusive: bool = False) -> Iterator[sa.Connection]:
        """Open a transaction. It is committed at the end of the context, unless an exception leaves it.

        Args:
            exclusive: whether other exclusive transactions wait for the end of this one.

        Raises:
            NotReadyError: the database failed.
        """
        try:
            with self._engine.begin() as connection:
                if exclusive:
                    _lock(connection)
                yield connection
        except sa.exc.SQLAlchemyError as error:
            _log.error("The job store failed: %s", error)  # the client gets no address
            raise NotReadyError("The job store does not respond; try again later.") from error


def existing_sqlite_file(directory: Path) -> bool:
    """Return whether the folder has a job store."""
    return (directory / _FILE_NAME).is_file()


def _postgresql(url: str) -> sa.Engine:
    _, _, rest = url.partition("://")
    return sa.create_engine(f"postgresql+psycopg://{rest}", pool_pre_ping=True, hide_parameters=True)


def _sqlite(directory: Path) -> sa.Engine:
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = directory / _FILE_NAME
    url = sa.URL.create("sqlite", database=str(path))
    engine = sa.create_engine(url, connect_args={"timeout": _LOCK_TIMEOUT_S}, hide_parameters=True)
    sa.event.listen(engine, "connect", _configure_sqlite)
    # The lock is taken at the start: a transaction that first reads and then writes could fail otherwise.
    sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    return engine


def _configure_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # SQLAlchemy begins the transactions
    for setting in ("auto_vacuum = FULL", "journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"):
        connection.execute(f"PRAGMA {setting}")  # secure_delete: no text of an expired job stays in the file


def _lock(connection: sa.Connection) -> None:
    """Wait for other exclusive transactions. SQLite's transactions are exclusive already."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_SUBMISSIONS_LOCK)))
