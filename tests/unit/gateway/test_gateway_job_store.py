"""The job store in an SQLite file."""

from __future__ import annotations

from pathlib import Path

import pytest
from job_store_contract import LIMITS, Clock, JobStoreContract, new_job

from tritonocr_gateway.errors import NotReadyError
from tritonocr_gateway.jobs.database import JobDatabase
from tritonocr_gateway.jobs.queue import JobQueue
from tritonocr_gateway.jobs.store import JobStore


class TestSqlite(JobStoreContract):
    @pytest.fixture
    def database(self, tmp_path: Path, clock: Clock) -> JobDatabase:
        return JobDatabase(tmp_path / "jobs", clock=clock)

    def test_no_text_of_an_expired_job_stays_in_the_folder(
        self, tmp_path: Path, clock: Clock, database: JobDatabase
    ) -> None:
        secret = b"the text of a private letter " * 1000
        self.store.submit(new_job(), secret)
        self.queue.finish(self.claimed())
        clock.now_s += LIMITS.keep_s + 1
        self.store.remove_expired()
        database.close()  # the last connection empties the write-ahead log
        assert all(b"private letter" not in path.read_bytes() for path in (tmp_path / "jobs").iterdir())

    def test_the_folder_is_private(self, tmp_path: Path) -> None:
        assert (tmp_path / "jobs").stat().st_mode & 0o077 == 0

    def test_jobs_survive_the_end_of_the_process(self, tmp_path: Path, clock: Clock) -> None:
        job = self.store.submit(new_job(), b"1")
        again = JobDatabase(tmp_path / "jobs", clock=clock)
        assert JobStore(again, LIMITS).get(job.id, "a").id == job.id
        claimed = JobQueue(again).claim()
        assert claimed
        assert claimed.id == job.id
        again.close()


def test_a_store_that_cannot_be_opened_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotReadyError, match="jobs_directory"):
        JobDatabase(tmp_path / "file")


def test_a_database_that_does_not_respond_names_the_setting(tmp_path: Path) -> None:
    with pytest.raises(NotReadyError, match="jobs_database"):
        JobDatabase(tmp_path, "postgresql://user:secret@127.0.0.1:9/name")
