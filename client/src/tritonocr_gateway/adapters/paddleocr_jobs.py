"""The job API of PaddleOCR 3's official clients: `/api/v2/ocr/jobs`.

Contract: `paddleocr/_api_client` of the package `paddleocr` 3.7.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timezone
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field

from tritonocr import OCRResult
from tritonocr_gateway.adapters.layout_parsing import layout_page
from tritonocr_gateway.adapters.protocol import Adapter
from tritonocr_gateway.errors import ErrorDetails, InvalidRequestError, NotFoundError, NotReadyError
from tritonocr_gateway.jobs.runner import JobRunner
from tritonocr_gateway.jobs.store import Job, JobStore, StoreLimits
from tritonocr_gateway.request_body import (
    FORM_TYPE,
    JSON_TYPE,
    invalid_field,
    media_type_of,
    parse_json,
    read_form,
    read_json,
    run_parser,
    unsupported_type,
    validated,
)
from tritonocr_gateway.responses import pruned
from tritonocr_gateway.schemas import OCRFields, schema_of
from tritonocr_gateway.security import CallerDependency
from tritonocr_gateway.service import Service, ServiceDependency

PREFIX = "/api/v2/ocr"
_OCR_MODELS = re.compile(r"PP-OCR.*")  # every other model returns Markdown
_FIRST_PAGES = re.compile(r"1(?:-(\d{1,6}))?")

router = APIRouter(prefix=PREFIX)


class JobFields(BaseModel):
    """The fields of a submission except its file."""

    model: str = Field(default="PP-OCRv5", max_length=100, description="The model that the client names.")
    optional_payload: dict[str, Any] = Field(
        default_factory=dict, alias="optionalPayload", description="Options of `POST /ocr`; JSON in a form."
    )
    page_ranges: str | None = Field(
        default=None, alias="pageRanges", description="The first pages, such as `1-20`."
    )
    batch_id: str = Field(default="", alias="batchId", max_length=128, description="Groups several jobs.")


class JobUrl(JobFields):
    """A submission of a URL as JSON."""

    file_url: str = Field(alias="fileUrl", max_length=8192, description="The document's public http(s) URL.")


class JobForm(JobFields):
    """A submission of a file as a form."""

    file: bytes = Field(description="The document.", json_schema_extra={"format": "binary"})


class JobFailure(BaseModel):
    """The response to a request that failed."""

    code: int = Field(description="The HTTP status.")
    msg: str = Field(description="One sentence that describes the error.")
    log_id: str = Field(alias="logId")


class Jobs:
    """The store and the runner of one gateway. The store opens at startup if it exists, else at first use."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._lock = asyncio.Lock()
        self._workers: list[asyncio.Task[None]] = []
        self._opened: tuple[JobStore, JobRunner] | None = None

    async def open(self) -> tuple[JobStore, JobRunner]:
        """Return the store and the runner.

        Raises:
            NotReadyError: the store cannot be opened.
        """
        settings = self._service.settings
        async with self._lock:
            if self._opened is None:
                limits = StoreLimits(settings.max_jobs_per_key, settings.max_job_bytes, settings.job_keep_s)
                store = await asyncio.to_thread(JobStore, settings.jobs_directory, limits)
                runner = JobRunner(
                    store, self._service.client, page_line, self._service.metrics, settings.job_max_pages
                )
                self._opened = store, runner
                self._workers = [asyncio.create_task(runner.work()) for _ in range(settings.job_workers)]
            return self._opened

    async def close(self) -> None:
        """Stop the workers. Running jobs go on after the next start."""
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        if self._opened is not None:
            self._opened[0].close()


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    jobs = app.state.jobs = Jobs(app.state.service)
    if (app.state.service.settings.jobs_directory / "jobs.sqlite").exists():
        # Without its store the job API answers 503; the other protocols do not need it.
        with contextlib.suppress(NotReadyError):
            await jobs.open()
    try:
        yield
    finally:
        await jobs.close()


def _error_body(details: ErrorDetails) -> Any:
    return {"code": details.status, "msg": details.message, "logId": details.log_id}


ADAPTER = Adapter("paddleocr_jobs", router, _error_body, JobFailure, _lifespan)


async def _opened(request: Request) -> tuple[JobStore, JobRunner]:
    jobs: Jobs = request.app.state.jobs
    return await jobs.open()


JobsDependency = Annotated[tuple[JobStore, JobRunner], Depends(_opened)]
_BODY = {
    "required": True,
    "content": {JSON_TYPE: {"schema": schema_of(JobUrl)}, FORM_TYPE: {"schema": schema_of(JobForm)}},
}


@router.post("/jobs", summary="Submit a document", openapi_extra={"requestBody": _BODY})
async def submit(
    request: Request, service: ServiceDependency, caller: CallerDependency, jobs: JobsDependency
) -> dict[str, Any]:
    """Store a document, read it in the background, and return the id of the job."""
    store, runner = jobs
    fields, content = await _submission(request, service)
    if not content:
        raise InvalidRequestError("The file is empty; expected the bytes of an image or PDF.")
    options = json.dumps(_options(fields, service))
    job = await asyncio.to_thread(store.submit, caller, content, fields.model, options, fields.batch_id)
    runner.wake()
    return _success({"jobId": job.id})


async def _submission(request: Request, service: Service) -> tuple[JobFields, bytes]:
    media_type = media_type_of(request)
    if media_type == JSON_TYPE:
        submission = validated(JobUrl, await read_json(request, service))
        return submission, await service.fetcher.fetch(submission.file_url)
    if media_type != FORM_TYPE:
        raise unsupported_type(request, FORM_TYPE, JSON_TYPE)
    form = await read_form(request, service)
    values: dict[str, Any] = dict(form.fields)
    if "optionalPayload" in values:
        values["optionalPayload"] = await run_parser(service, parse_json, values["optionalPayload"].encode())
    if not form.files.get("file"):
        raise invalid_field("missing", ("file",), "Field required")
    return validated(JobFields, values), form.files["file"][0].content


def _options(fields: JobFields, service: Service) -> dict[str, Any]:
    payload: Any = validated(OCRFields, fields.optional_payload)
    options: dict[str, Any] = payload.options()
    limit = service.settings.job_max_pages
    if fields.page_ranges:
        first_pages = _FIRST_PAGES.fullmatch(fields.page_ranges.replace(" ", ""))
        if not first_pages:
            raise InvalidRequestError(
                f"pageRanges is {fields.page_ranges[:40]!r}; expected the first pages, such as '1-20'."
            )
        options["max_pages"] = int(first_pages[1] or 1)
    if options.get("max_pages", 1) > limit:
        raise InvalidRequestError(f"A job reads at most {limit} pages of a file (setting job_max_pages).")
    return options


@router.get("/jobs/batch/{batch_id}", summary="The states of the jobs of a batch")
async def batch_status(
    request: Request, batch_id: str, caller: CallerDependency, jobs: JobsDependency
) -> dict[str, Any]:
    """Return the states of the jobs that were submitted with a `batchId`."""
    found = await asyncio.to_thread(jobs[0].batch, batch_id, caller)
    if not found:
        raise NotFoundError("The batch does not exist, or it has expired.")
    return _success({"batchId": batch_id, "extractResult": [_status(job, request) for job in found]})


@router.get("/jobs/{job_id}", summary="The state of a job")
async def status(
    request: Request, job_id: str, caller: CallerDependency, jobs: JobsDependency
) -> dict[str, Any]:
    """Return the state of a job, its progress in pages, and the URL of its result."""
    return _success(_status(await asyncio.to_thread(jobs[0].get, job_id, caller), request))


@router.delete("/jobs/{job_id}", summary="Cancel a job")
async def cancel(
    request: Request, job_id: str, caller: CallerDependency, jobs: JobsDependency
) -> dict[str, Any]:
    """Cancel a job that has not finished. A finished job is not changed."""
    store, runner = jobs
    await runner.cancel(await asyncio.to_thread(store.get, job_id, caller))
    return _success(_status(await asyncio.to_thread(store.get, job_id, caller), request))


@router.get("/results/{token}", summary="The result of a job as JSON lines", response_class=FileResponse)
async def result(token: str, jobs: JobsDependency) -> FileResponse:
    """Return the result of a job, one line per page. The URL is secret and expires; no key is needed."""
    job = await asyncio.to_thread(jobs[0].by_token, token)
    return FileResponse(jobs[0].result_path(job.id), media_type="application/x-ndjson")


def _success(data: dict[str, Any]) -> dict[str, Any]:
    return {"code": 0, "msg": "Success", "data": data}


def _status(job: Job, request: Request) -> dict[str, Any]:
    data: dict[str, Any] = {"jobId": job.id, "state": job.state, "model": job.model}
    if job.total_pages:
        data["extractProgress"] = {
            "totalPages": job.total_pages,
            "extractedPages": job.read_pages,
            "startTime": _time(job.created_s),
            "endTime": _time(job.finished_s),
        }
    if job.state == "done":
        data["resultUrl"] = {"jsonUrl": f"{str(request.base_url).rstrip('/')}{PREFIX}/results/{job.token}"}
    if job.state == "failed":
        data["errorMsg"] = job.error
    return data


def _time(seconds: float) -> str | None:
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="seconds") if seconds else None


def page_line(job: Job, page: OCRResult) -> dict[str, Any]:
    """Build the line of a page: text lines for PP-OCR models, else Markdown in PP-StructureV3's form."""
    size = {"width": page.page.width, "height": page.page.height}
    info = {
        "numPages": page.page_count,
        "pages": [size],
        "type": "pdf" if page["page_index"] is not None else "image",
    }
    if _OCR_MODELS.fullmatch(job.model):
        return {"result": {"ocrResults": [{"prunedResult": pruned(page.json["res"])}], "dataInfo": info}}
    return {"result": {"layoutParsingResults": [layout_page(page)], "dataInfo": info}}
