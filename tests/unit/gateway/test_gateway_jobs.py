"""The job API of PaddleOCR 3's clients: states, results, limits, and a restart."""

from __future__ import annotations

import io
import json
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
import pikepdf
import pytest
from fake_triton import answer, picture
from PIL import Image
from running_gateway import running

import tritonocr
from tritonocr_gateway import Settings, create_app
from tritonocr_gateway.jobs import runner

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
        ({"pageRanges": "3-2"}, "pageRanges"),
        ({"pageRanges": "0"}, "pageRanges"),
        ({"pageRanges": "1,3"}, "pageRanges"),
        ({"batchId": "a\0b"}, "printable"),
        ({"webhookUrl": "https://example.com/"}, "webhook_secret"),
        ({"webhookUrl": "file:///etc/passwd"}, "webhookUrl"),
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


@pytest.fixture
def _retry_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_RETRY_S", "_POLL_S"):
        monkeypatch.setattr(runner, name, 0.02)


def _submit_pdf(client: Any, pages: int) -> str:
    page, content = Image.new("L", (60, 40)), io.BytesIO()
    page.save(content, "PDF", save_all=True, append_images=[page] * (pages - 1))
    response = client.post(JOBS, data={"model": "PP-OCRv5"}, files={"file": content.getvalue()})
    job_id: str = response.json()["data"]["jobId"]
    return job_id


def _ending_with(error: Exception, pages_per_call: int, calls: list[int]) -> Any:
    """Return a server that reads some pages of each request and then fails, until all pages are read."""

    async def responses(request: Any, timeout_s: float | None) -> AsyncGenerator[Any, None]:
        if request.model_name == "ocr":  # the check of readiness
            yield answer()
            return
        (document,) = (tensor.array[0] for tensor in request.inputs if tensor.name == "file")
        with pikepdf.open(io.BytesIO(document)) as rest:
            count = len(rest.pages)
        calls.append(count)
        for _ in range(min(count, pages_per_call)):
            yield answer(pages=1, page_count=count)
        if count > pages_per_call:
            raise error

    return responses


@pytest.mark.usefixtures("_retry_at_once")
@pytest.mark.parametrize(
    "error", [tritonocr.DeadlineExceededError("too late"), tritonocr.ServerUnavailableError("stopped")]
)
def test_a_document_goes_on_with_the_next_page(
    client: Any, triton: Any, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    calls: list[int] = []
    monkeypatch.setattr(triton, "streams", True)
    monkeypatch.setattr(triton, "responses", _ending_with(error, 2, calls))
    data = _wait(client, _submit_pdf(client, 15), "done", "failed")
    assert data["state"] == "done", data
    assert calls == [15, 13, 11, 9, 7, 5, 3, 1], "no page is sent twice"
    lines = [line["result"] for line in _lines(client, data)]
    assert [line["dataInfo"]["numPages"] for line in lines] == [15] * 15


@pytest.mark.usefixtures("_retry_at_once")
def test_a_page_that_stops_the_server_again_and_again_fails(
    client: Any, triton: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    monkeypatch.setattr(triton, "streams", True)
    error = tritonocr.ServerUnavailableError("stopped")
    monkeypatch.setattr(triton, "responses", _ending_with(error, 0, calls))
    data = _wait(client, _submit_pdf(client, 3), "failed")
    assert "page 1 again and again" in data["errorMsg"]
    assert len(calls) == runner.MAX_INTERRUPTIONS


@pytest.mark.usefixtures("_retry_at_once")
def test_a_job_waits_while_the_server_is_away(client: Any, triton: Any) -> None:
    triton.error = tritonocr.ServerUnavailableError("stopped")
    job_id = _job(client)
    deadline = time.monotonic() + 10
    while len(triton.requests) < 3 * runner.MAX_INTERRUPTIONS and time.monotonic() < deadline:
        time.sleep(0.02)
    assert client.get(f"{JOBS}/{job_id}").json()["data"]["state"] in ("pending", "running")
    triton.error = None
    _wait(client, job_id, "done")


@pytest.mark.parametrize(
    ("page_ranges", "sent_pages", "max_pages"), [("2-3", 3, 2), ("4", 1, 1), ("1-9", 4, 9), ("5", None, None)]
)
def test_a_range_of_pages_is_read(
    client: Any, triton: Any, page_ranges: str, sent_pages: int | None, max_pages: int | None
) -> None:
    page, content = Image.new("L", (60, 40)), io.BytesIO()
    page.save(content, "PDF", save_all=True, append_images=[page] * 3)
    fields, files = {"pageRanges": page_ranges}, {"file": content.getvalue()}
    triton.tensors = answer(pages=2 if sent_pages == 3 else sent_pages or 4, page_count=sent_pages or 4)
    job_id = client.post(JOBS, data=fields, files=files).json()["data"]["jobId"]
    data = _wait(client, job_id, "done", "failed")
    if sent_pages is None:
        assert data["errorMsg"] == "pageRanges starts at page 5; the document has 4 pages."
        return
    assert triton.sent()["max_pages"] == max_pages
    with pikepdf.open(io.BytesIO(triton.sent()["file"])) as sent:
        assert len(sent.pages) == sent_pages


def test_two_gateways_share_a_folder(client: Any, serve: Any, tmp_path: Path) -> None:
    """`serve --gateway` twice on one machine: the second one reads and cancels the jobs of the first one."""
    job_id = _job(client)
    second = serve(jobs_directory=tmp_path / "jobs")
    assert len(_lines(second, _wait(second, job_id, "done"))) == 1
    _wait(client, _job(second), "done")


def test_without_its_store_the_gateway_serves_everything_else(serve: Any, tmp_path: Path) -> None:
    (tmp_path / "a file").touch()
    client = serve(jobs_directory=tmp_path / "a file")
    assert client.get("/health").status_code == 200
    response = _submit(client)
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
