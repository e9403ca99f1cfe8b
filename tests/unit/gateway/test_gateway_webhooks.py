"""Webhooks of jobs: signature, repeated calls, and addresses that are not public."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from job_store_contract import LIMITS, Clock, new_job

from tritonocr import FetchError
from tritonocr_gateway import Settings
from tritonocr_gateway.fetching import UrlFetcher
from tritonocr_gateway.jobs.database import JobDatabase
from tritonocr_gateway.jobs.queue import JobQueue
from tritonocr_gateway.jobs.signatures import secret_bytes, signed_headers
from tritonocr_gateway.jobs.store import JobStore
from tritonocr_gateway.jobs.webhooks import DELAYS_S, Webhooks

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()


def test_the_signature_is_that_of_standard_webhooks() -> None:
    """The expected value was computed with the package `standardwebhooks` 1.1.0."""
    headers = signed_headers(SECRET, "0123abcd", 1_800_000_000, b'{"type": "job.done"}')
    assert headers["webhook-signature"] == "v1,o4TXWLtaZ8nMuCNArK2RF++5ZvZqYYUZDK2q+yDhuKo="


@pytest.mark.parametrize("secret", ["secret", "whsec_c2hvcnQ=", "whsec_?", SECRET.removeprefix("whsec_")])
def test_a_secret_of_another_form_is_rejected(secret: str) -> None:
    with pytest.raises(ValueError, match="24 to 64"):
        secret_bytes(secret)


class Receiver:
    """A receiver of messages that returns the statuses which a test sets."""

    def __init__(self) -> None:
        self.statuses: list[int | Exception] = []
        self.received: list[tuple[str, Any, Mapping[str, str]]] = []

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        self.received.append((url, json.loads(body), headers))
        status = self.statuses.pop(0) if self.statuses else 200
        if isinstance(status, Exception):
            raise status
        return status


class TestWebhooks:
    @pytest.fixture(autouse=True)
    def _opened(self, tmp_path: Path) -> Any:
        self.clock, self.receiver = Clock(), Receiver()
        self.database = JobDatabase(tmp_path, clock=self.clock)
        self.store, self.queue = JobStore(self.database, LIMITS), JobQueue(self.database)
        yield
        self.database.close()

    def call_due(self) -> None:
        """Call what is due, as a gateway does that has just started."""
        hooks = Webhooks(self.database, SECRET, self.receiver.post, lambda job: {"jobId": job.id})
        asyncio.run(hooks.call_due())

    def submit(self) -> str:
        return self.store.submit(new_job(webhook_url="https://example.com/hook"), b"1").id

    def end(self) -> None:
        job = self.queue.claim()
        assert job
        self.queue.finish(job)

    def test_a_job_that_ended_is_announced_once(self) -> None:
        job_id = self.submit()
        self.call_due()
        assert self.receiver.received == [], "the job has not ended"
        self.end()
        self.call_due()
        self.call_due()
        ((url, message, headers),) = self.receiver.received
        assert url == "https://example.com/hook"
        assert (message["type"], message["data"]) == ("job.done", {"jobId": job_id})
        assert headers["webhook-id"] == job_id
        assert headers["webhook-signature"].startswith("v1,")

    @pytest.mark.parametrize("failure", [500, 302, FetchError("no address")])
    def test_a_failed_call_is_repeated_later_and_not_without_end(self, failure: int | Exception) -> None:
        self.submit()
        self.end()
        self.receiver.statuses = [failure] * 100
        for attempt, delay_s in enumerate(DELAYS_S, 1):
            self.call_due()
            self.call_due()
            assert len(self.receiver.received) == attempt, "not before the delay is over"
            self.clock.now_s += delay_s
        for _ in range(3):
            self.call_due()
            self.clock.now_s += max(DELAYS_S)
        assert len(self.receiver.received) == len(DELAYS_S) + 1
        assert {headers["webhook-id"] for _, _, headers in self.receiver.received} == {
            self.receiver.received[0][2]["webhook-id"]
        }

    def test_a_job_without_a_webhook_calls_none(self) -> None:
        self.store.submit(new_job(), b"1")
        self.end()
        self.call_due()
        assert self.receiver.received == []


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9/", "http://169.254.169.254/latest/", "http://localhost:9/", "http://[::1]/"]
)
def test_an_address_that_is_not_public_is_not_called(url: str) -> None:
    with pytest.raises(FetchError, match="public internet"):
        asyncio.run(UrlFetcher(Settings()).post(url, b"{}", {}))
