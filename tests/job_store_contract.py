"""Tests of the job store for any database. Test classes derive from `JobStoreContract`."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy

from tritonocr_gateway.errors import NotFoundError, OverCapacityError
from tritonocr_gateway.jobs.database import METADATA, Job, JobDatabase
from tritonocr_gateway.jobs.queue import LEASE_S, JobQueue, LostClaimError
from tritonocr_gateway.jobs.store import CANCELLED, JobStore, NewJob, StoreLimits

LIMITS = StoreLimits(unfinished_per_owner=2, input_bytes=10_000_000, keep_s=60)


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now_s = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now_s


def new_job(owner: str = "a", **fields: Any) -> NewJob:
    return NewJob(owner=owner, model="m", options="{}", **fields)


class JobStoreContract:
    """The derived class has the fixtures `clock` and `database`."""

    @pytest.fixture
    def clock(self) -> Clock:
        return Clock()

    @pytest.fixture(autouse=True)
    def _opened(self, database: JobDatabase) -> Iterator[None]:
        self.store, self.queue = JobStore(database, LIMITS), JobQueue(database)
        yield
        database.close()

    def claimed(self) -> Job:
        job = self.queue.claim()
        assert job
        return job

    def test_a_document_comes_back_as_it_was(self) -> None:
        content = bytes(range(256)) * 30_000  # several chunks
        self.store.submit(new_job(), content)
        assert self.queue.input(self.claimed()) == content

    def test_limits_the_unfinished_jobs_of_an_owner(self) -> None:
        for _ in range(2):
            self.store.submit(new_job(), b"1")
        with pytest.raises(OverCapacityError, match="max_jobs_per_key"):
            self.store.submit(new_job(), b"1")
        self.store.submit(new_job("b"), b"1")
        self.queue.fail(self.claimed(), "bad")
        self.store.submit(new_job(), b"1")

    def test_limits_the_bytes_of_unfinished_jobs(self) -> None:
        self.store.submit(new_job(), bytes(6_000_000))
        with pytest.raises(OverCapacityError, match="max_job_bytes"):
            self.store.submit(new_job("b"), bytes(6_000_000))
        self.queue.finish(self.claimed())
        self.store.submit(new_job("b"), bytes(6_000_000))

    def test_limits_hold_for_submissions_at_the_same_time(self) -> None:
        accepted: list[Job] = []

        def submit() -> None:
            with contextlib.suppress(OverCapacityError):
                accepted.append(self.store.submit(new_job(), b"1"))

        in_threads(submit, 8)
        assert len(accepted) == 2

    def test_gives_a_job_to_one_worker(self) -> None:
        submitted = {self.store.submit(new_job(str(number)), b"1").id for number in range(20)}
        claimed: list[str] = []

        def work() -> None:
            while job := self.queue.claim():
                claimed.append(job.id)

        in_threads(work, 4)
        assert (len(claimed), set(claimed)) == (20, submitted)

    def test_a_killed_worker_loses_its_claim_and_keeps_its_pages(self, clock: Clock) -> None:
        self.store.submit(new_job(), b"1")
        first = self.claimed()
        self.queue.add_page(first, 0, '{"page": 1}', 3)
        clock.now_s += LEASE_S - 1
        assert self.queue.claim() is None
        clock.now_s += 1
        second = self.claimed()
        assert (second.id, second.read_pages, second.total_pages) == (first.id, 1, 3)
        for change in (
            lambda: self.queue.add_page(first, 1, "{}", 3),
            lambda: self.queue.renew(first),
            lambda: self.queue.release(first),
            lambda: self.queue.finish(first),
            lambda: self.queue.fail(first, "late"),
        ):
            with pytest.raises(LostClaimError):
                change()
        self.queue.add_page(second, 1, '{"page": 2}', 3)
        self.queue.finish(second)
        done = self.store.get(first.id, "a")
        assert (done.state, done.read_pages) == ("done", 2)
        assert self.store.lines(done, 0, 9) == ['{"page": 1}', '{"page": 2}']
        assert self.store.lines(done, 1, 1) == ['{"page": 2}']

    def test_a_renewed_claim_stays(self, clock: Clock) -> None:
        self.store.submit(new_job(), b"1")
        job = self.claimed()
        for _ in range(3):
            clock.now_s += LEASE_S - 1
            self.queue.renew(job)
        assert self.queue.claim() is None

    def test_counts_interruptions_without_progress(self, clock: Clock) -> None:
        self.store.submit(new_job(), b"1")
        self.queue.release(self.claimed(), 5, interrupted=True)
        assert self.queue.claim() is None, "not before its delay is over"
        clock.now_s += 5
        assert self.claimed().interruptions == 1
        clock.now_s += LEASE_S
        job = self.claimed()
        assert job.interruptions == 2
        self.queue.add_page(job, 0, "{}", 2)
        assert self.store.get(job.id, "a").interruptions == 0

    def test_a_cancelled_job_stays_cancelled(self) -> None:
        job = self.store.submit(new_job(webhook_url="https://example.com"), b"1")
        claimed = self.claimed()
        self.store.cancel(job)
        with pytest.raises(LostClaimError):
            self.queue.finish(claimed)
        cancelled = self.store.get(job.id, "a")
        assert (cancelled.state, cancelled.error) == ("failed", CANCELLED)
        assert cancelled.webhook_due_s > 0

    def test_a_finished_job_is_not_cancelled(self) -> None:
        job = self.store.submit(new_job(), b"1")
        self.queue.finish(self.claimed())
        self.store.cancel(job)
        assert self.store.get(job.id, "a").state == "done"

    def test_a_job_belongs_to_its_owner(self) -> None:
        job = self.store.submit(new_job(batch="b"), b"1")
        assert [found.id for found in self.store.batch("b", "a")] == [job.id]
        assert self.store.batch("b", "other") == []
        for job_id, owner in ((job.id, "other"), ("\0", "a")):
            with pytest.raises(NotFoundError):
                self.store.get(job_id, owner)
        with pytest.raises(NotFoundError):
            self.store.by_token(job.token)

    def test_forgets_a_job_when_its_time_is_over(self, clock: Clock, database: JobDatabase) -> None:
        job = self.store.submit(new_job(), b"1")
        claimed = self.claimed()
        self.queue.add_page(claimed, 0, "{}", 1)
        self.queue.finish(claimed)
        assert self.store.by_token(job.token).id == job.id
        clock.now_s += LIMITS.keep_s + 1
        with pytest.raises(NotFoundError):
            self.store.by_token(job.token)
        self.store.remove_expired()
        with database.transaction() as connection:
            for table in METADATA.sorted_tables:
                assert connection.execute(sqlalchemy.select(table)).all() == []


def in_threads(work: Any, count: int) -> None:
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
