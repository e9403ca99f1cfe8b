"""The job API of PaddleOCR 3's clients: states, results, limits, and a restart."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from fake_triton import answer, picture
from running_gateway import running

import tritonocr
from tritonocr_gateway import Settings, create_app
from tritonocr_gateway.errors import NotFoundError, NotReadyError, OverCapacityError
from tritonocr_gateway.jobs.store import JobStore, StoreLimits

JOBS = "/api/v2/ocr/jobs"


def _submit(client: Any, **data: Any) -> Any:
    fields = {"model": "PP-OCRv5", "optionalPayload": "{}", **data}
    return client.post(JOBS, data=fields, files={"file": ("a.png", picture())})


def _job(client: Any, **data: Any) -> str:
    response = _submit(client, **data)
    assert response.status_code == 200, response.text
    job_id: str = response.json()["data"]["jobId"]
    return job_id


def _wait(client: Any, job_id: str, *states: str) -> dict[str, Any]:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        data: dict[str, Any] = client.get(f"{JOBS}/{job_id}").json()["data"]
        if data["state"] in states:
            return data
        time.sleep(0.02)
    raise AssertionError(f"the job is {data}; expected {states}")


def _lines(client: Any, data: dict[str, Any]) -> list[Any]:
    return [json.loads(line) for line in client.get(data["resultUrl"]["jsonUrl"]).text.splitlines()]


@pytest.fixture
def client(serve: Any, tmp_path: Path) -> Any:
    return serve(jobs_directory=tmp_path / "jobs")


@pytest.mark.parametrize(
    ("model", "key"),
    [
        ("PP-OCRv5", "ocrResults"),
        ("PP-OCRv6", "ocrResults"),
        ("PP-StructureV3", "layoutParsingResults"),
        ("PaddleOCR-VL", "layoutParsingResults"),
    ],
)
def test_a_document_becomes_one_line_per_page(client: Any, triton: Any, model: str, key: str) -> None:
    triton.tensors = answer(pages=2)
    data = _wait(client, _job(client, model=model), "done", "failed")
    assert data["extractProgress"]["extractedPages"] == data["extractProgress"]["totalPages"] == 2
    texts = [line["result"][key][0]["prunedResult"]["rec_texts"] for line in _lines(client, data)]
    assert texts == [["line of page 0"], ["line of page 1"]]


def test_options_of_the_payload_reach_triton(client: Any, triton: Any) -> None:
    payload = json.dumps({"useDocUnwarping": False, "textDetThresh": 0.4})
    _wait(client, _job(client, optionalPayload=payload, pageRanges="1-7"), "done")
    sent = triton.sent()
    assert (sent["use_doc_unwarping"], sent["max_pages"]) == (False, 7)
    assert sent["text_det_thresh"] == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"pageRanges": "2-3"}, "pageRanges"),
        ({"pageRanges": "1-5000"}, "job_max_pages"),
        ({"optionalPayload": '{"textDetThresh": "x"}'}, "textDetThresh"),
        ({"optionalPayload": "{"}, "JSON"),
        ({"optionalPayload": "[" * 20_000}, "too many elements"),
    ],
)
def test_a_bad_submission_is_rejected(client: Any, data: dict[str, str], message: str) -> None:
    response = _submit(client, **data)
    assert response.status_code in (400, 422)
    assert message in response.json()["msg"]


def test_a_file_that_cannot_be_read_fails_with_the_reason(client: Any, triton: Any) -> None:
    triton.error = tritonocr.InvalidInputError("file: got 3 bytes.")
    data = _wait(client, _job(client), "failed")
    assert data["errorMsg"] == "file: got 3 bytes."
    assert "resultUrl" not in data


def test_a_job_can_be_cancelled(client: Any, triton: Any) -> None:
    triton.wait = True
    job_id = _job(client)
    _wait(client, job_id, "running")
    assert client.delete(f"{JOBS}/{job_id}").json()["data"]["state"] == "failed"
    deadline = time.monotonic() + 10
    while not triton.cancelled and time.monotonic() < deadline:
        time.sleep(0.02)
    assert triton.cancelled == 1, "the request to Triton is cancelled too"
    assert client.get(f"{JOBS}/{job_id}").json()["data"]["errorMsg"] == "The job was cancelled."


def test_a_batch_lists_its_jobs(client: Any) -> None:
    jobs = [_job(client, batchId="b1") for _ in range(2)]
    found = client.get(f"{JOBS}/batch/b1").json()["data"]["extractResult"]
    assert [job["jobId"] for job in found] == jobs
    assert client.get(f"{JOBS}/batch/other").status_code == 404


def test_a_stopped_gateway_goes_on_with_its_jobs_after_the_restart(
    serve: Any, triton: Any, tmp_path: Path
) -> None:
    """The first gateway stops while a job is being read; its jobs finish in the second one."""
    triton.wait = True
    app = create_app(
        Settings(jobs_directory=tmp_path), connect=lambda _: tritonocr.AsyncOCRClient(transport=triton)
    )
    with running(app) as url, httpx.Client(base_url=url) as first:
        jobs = [_job(first) for _ in range(4)]
        _wait(first, jobs[0], "running")
    triton.wait = False
    second = serve(jobs_directory=tmp_path)
    for job_id in jobs:
        assert len(_lines(second, _wait(second, job_id, "done"))) == 1


def test_a_second_gateway_serves_all_but_jobs_while_the_folder_is_used(
    client: Any, serve: Any, tmp_path: Path
) -> None:
    """`serve --gateway` twice on one machine: the second one must start."""
    _wait(client, _job(client), "done")
    second = serve(jobs_directory=tmp_path / "jobs")
    assert second.get("/health").status_code == 200
    response = second.post("/api/v2/ocr/jobs", data={"model": "PP-OCRv5"}, files={"file": b"page"})
    assert response.status_code == 503
    assert "jobs_directory" in response.json()["msg"]


def test_a_job_belongs_to_its_key(serve: Any, tmp_path: Path) -> None:
    client = serve(jobs_directory=tmp_path, api_keys="one,two")
    client.headers["X-API-Key"] = "one"
    job_id = _job(client)
    data = _wait(client, job_id, "done")
    client.headers["X-API-Key"] = "two"
    assert client.get(f"{JOBS}/{job_id}").status_code == 404
    assert client.delete(f"{JOBS}/{job_id}").status_code == 404
    del client.headers["X-API-Key"]
    assert len(_lines(client, data)) == 1, "the result's URL is secret and needs no key"
    assert client.get("/api/v2/ocr/results/guess").status_code == 404


class TestStore:
    LIMITS = StoreLimits(unfinished_per_owner=2, input_bytes=1000, keep_s=60)

    def test_limits_the_unfinished_jobs_of_an_owner(self, tmp_path: Path) -> None:
        store = JobStore(tmp_path, self.LIMITS)
        jobs = [store.submit("a", b"1", "m", "{}", "") for _ in range(2)]
        with pytest.raises(OverCapacityError, match="max_jobs_per_key"):
            store.submit("a", b"1", "m", "{}", "")
        store.submit("b", b"1", "m", "{}", "")
        store.fail(jobs[0], "bad")
        store.submit("a", b"1", "m", "{}", "")
        store.close()

    def test_limits_the_bytes_of_all_jobs(self, tmp_path: Path) -> None:
        store = JobStore(tmp_path, self.LIMITS)
        store.submit("a", bytes(600), "m", "{}", "")
        with pytest.raises(OverCapacityError, match="max_job_bytes"):
            store.submit("b", bytes(600), "m", "{}", "")
        store.close()

    def test_forgets_a_job_when_its_time_is_over(self, tmp_path: Path) -> None:
        now_s = [1000.0]
        store = JobStore(tmp_path, self.LIMITS, clock=lambda: now_s[0])
        job = store.submit("a", b"1", "m", "{}", "")
        claimed = store.claim()
        assert claimed
        with store.result_writer(claimed) as write:
            write("{}")
        store.finish(claimed)
        assert store.by_token(job.token).id == job.id
        now_s[0] += 61
        with pytest.raises(NotFoundError):
            store.by_token(job.token)
        store.remove_expired()
        assert {path.name for path in tmp_path.iterdir()} <= {"lock", "jobs.sqlite", "jobs.sqlite-journal"}
        store.close()

    def test_serves_one_gateway_at_a_time(self, tmp_path: Path) -> None:
        store = JobStore(tmp_path, self.LIMITS)
        with pytest.raises(NotReadyError, match="jobs_directory"):
            JobStore(tmp_path, self.LIMITS)
        store.close()

    def test_gives_a_job_to_one_worker(self, tmp_path: Path) -> None:
        store = JobStore(tmp_path, StoreLimits(100, 1000, 60))
        submitted = {store.submit("a", b"1", "m", "{}", "").id for _ in range(20)}
        claimed: list[str] = []

        def work() -> None:
            while job := store.claim():
                claimed.append(job.id)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (len(claimed), set(claimed)) == (20, submitted)
        store.close()
