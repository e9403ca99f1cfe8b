"""The job store in a real PostgreSQL database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from job_store_contract import LIMITS, Clock, JobStoreContract, new_job
from postgresql import PostgreSQL, postgresql

from tritonocr_gateway.errors import NotReadyError
from tritonocr_gateway.jobs.database import METADATA, JobDatabase
from tritonocr_gateway.jobs.store import JobStore


@pytest.fixture(scope="module")
def running_server() -> Iterator[PostgreSQL]:
    with postgresql() as server:
        yield server


class TestPostgresql(JobStoreContract):
    @pytest.fixture
    def database(self, running_server: PostgreSQL, clock: Clock) -> JobDatabase:
        database = JobDatabase(Path("unused"), running_server.url, clock)
        with database.transaction() as connection:
            for table in METADATA.sorted_tables:
                connection.execute(table.delete())
        return database

    def test_a_restart_of_the_database_is_survived(
        self, running_server: PostgreSQL, database: JobDatabase
    ) -> None:
        job = self.store.submit(new_job(), b"1")
        running_server.stop()
        with pytest.raises(NotReadyError, match="does not respond"):
            self.store.get(job.id, "a")
        running_server.start()
        assert JobStore(database, LIMITS).get(job.id, "a").id == job.id
