"""The job API of PaddleOCR 3's official clients: `/api/v2/ocr/jobs`.

Contract: `paddleocr/_api_client` of the package `paddleocr` 3.7.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timezone
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field, field_validator

from tritonocr import OCRResult
from tritonocr_common.quoting import quoted
from tritonocr_gateway.adapters.layout_parsing import layout_page, options_of_client
from tritonocr_gateway.adapters.protocol import Adapter
from tritonocr_gateway.errors import ErrorDetails, InvalidRequestError, NotFoundError
from tritonocr_gateway.jobs.database import Job
from tritonocr_gateway.jobs.service import Jobs, OpenJobs
from tritonocr_gateway.jobs.store import JobStore, NewJob
from tritonocr_gateway.request_body import (
    FORM_TYPE,
    JSON_TYPE,
    fetch,
    media_type_of,
    parse_json,
    read_form,
    read_json,
    run_parser,
    unsupported_type,
)
from tritonocr_gateway.responses import pruned
from tritonocr_gateway.schemas import OCRFields, schema_of
from tritonocr_gateway.security import CallerDependency
from tritonocr_gateway.service import Service, ServiceDependency
from tritonocr_gateway.validation import missing_field, validated

PREFIX = "/api/v2/ocr"
_OCR_MODELS = re.compile(r"PP-OCR.*")  # every other model returns Markdown
_RANGE = re.compile(r"(\d{1,6})(?:-(\d{1,6}))?")
_LINES = 20  # lines of a result that are in memory at the same time

router = APIRouter(prefix=PREFIX)


class JobFields(BaseModel):
    """The fields of a submission except its file."""

    model: str = Field(default="PP-OCRv5", max_length=100, description="The model that the client names.")
    optional_payload: dict[str, Any] = Field(
        default_factory=dict, alias="optionalPayload", description="Options of `POST /ocr`; JSON in a form."
    )
    page_ranges: str | None = Field(
        default=None, alias="pageRanges", description="One range of pages, such as `3` or `2-20`."
    )
    batch_id: str = Field(default="", alias="batchId", max_length=128, description="Groups several jobs.")
    webhook_url: str = Field(
        default="",
        alias="webhookUrl",
        max_length=8192,
        pattern=r"^(https?://[!-~]+)?$",
        description="Public http(s) URL that receives a signed message when the job has ended.",
    )

    @field_validator("model", "batch_id")
    @classmethod
    def _check_printable(cls, value: str) -> str:
        if not value.isprintable():
            raise ValueError("expected printable characters")
        return value


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


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    jobs = app.state.jobs = Jobs(app.state.service, page_line, lambda job: _status(job, job.base_url))
    jobs.start()
    try:
        yield
    finally:
        await jobs.close()


def _error_body(details: ErrorDetails) -> Any:
    return {"code": details.status, "msg": details.message, "logId": details.log_id}


ADAPTER = Adapter("paddleocr_jobs", router, _error_body, JobFailure, _lifespan)


async def _opened(request: Request) -> OpenJobs:
    jobs: Jobs = request.app.state.jobs
    return await jobs.open()


JobsDependency = Annotated[OpenJobs, Depends(_opened)]
_BODY = {
    "required": True,
    "content": {JSON_TYPE: {"schema": schema_of(JobUrl)}, FORM_TYPE: {"schema": schema_of(JobForm)}},
}


@router.post("/jobs", summary="Submit a document", openapi_extra={"requestBody": _BODY})
async def submit(
    request: Request, service: ServiceDependency, caller: CallerDependency, jobs: JobsDependency
) -> dict[str, Any]:
    """Store a document, read it in the background, and return the id of the job."""
    fields, file = await _submission(request, service)
    first_page, options = _options(fields, service)
    new = NewJob(
        owner=caller,
        model=fields.model,
        options=json.dumps({**options_of_client(request), **options}),
        batch=fields.batch_id,
        first_page=first_page,
        webhook_url=_webhook_url(fields, service),
        base_url=_base_url(request),
    )
    content = await fetch(request, service, file) if isinstance(file, str) else file
    if not content:
        raise InvalidRequestError("The file is empty; expected the bytes of an image or PDF.")
    job = await asyncio.to_thread(jobs.store.submit, new, content)
    await jobs.runner.wake()
    return _success({"jobId": job.id})


async def _submission(request: Request, service: Service) -> tuple[JobFields, bytes | str]:
    """Return the fields of a submission, and its file or the URL of its file."""
    media_type = media_type_of(request)
    if media_type == JSON_TYPE:
        submission = validated(JobUrl, await read_json(request, service))
        return submission, submission.file_url
    if media_type != FORM_TYPE:
        raise unsupported_type(request, FORM_TYPE, JSON_TYPE)
    form = await read_form(request, service)
    values: dict[str, Any] = dict(form.fields)
    if "optionalPayload" in values:
        parse = partial(parse_json, name="optionalPayload")
        values["optionalPayload"] = await run_parser(service, parse, values["optionalPayload"].encode())
    if not form.files.get("file"):
        raise missing_field("file")
    return validated(JobFields, values), form.files["file"][0].content


def _options(fields: JobFields, service: Service) -> tuple[int, dict[str, Any]]:
    """Return the number of the first page, and the options of the client."""
    payload: Any = validated(OCRFields, fields.optional_payload, "optionalPayload")
    options: dict[str, Any] = payload.options()
    limit, first = service.settings.job_max_pages, 1
    if fields.page_ranges:
        first, last = _pages(fields.page_ranges.replace(" ", ""))
        options["max_pages"] = last - first + 1
    if options.get("max_pages", 1) > limit:
        raise InvalidRequestError(f"A job reads at most {limit} pages of a file (setting job_max_pages).")
    return first, options


def _pages(page_ranges: str) -> tuple[int, int]:
    """Return the first and the last page of a range."""
    found = _RANGE.fullmatch(page_ranges)
    first, last = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
    if not 1 <= first <= last:
        raise InvalidRequestError(
            f"pageRanges: got {quoted(page_ranges)}, expected one range such as 3 or 2-20, from page 1 on."
        )
    return first, last


def _webhook_url(fields: JobFields, service: Service) -> str:
    if fields.webhook_url and not service.settings.webhook_secret:
        raise InvalidRequestError(
            "This gateway calls no webhooks (setting webhook_secret); leave out webhookUrl."
        )
    return fields.webhook_url


@router.get("/jobs/batch/{batch_id}", summary="The states of the jobs of a batch")
async def batch_status(
    request: Request, batch_id: str, caller: CallerDependency, jobs: JobsDependency
) -> dict[str, Any]:
    """Return the states of the jobs that were submitted with a `batchId`."""
    found = await asyncio.to_thread(jobs.store.batch, batch_id, caller)
    if not found:
        raise NotFoundError("The batch does not exist, or it has expired.")
    states = [_status(job, _base_url(request)) for job in found]
    return _success({"batchId": batch_id, "extractResult": states})


@router.get("/jobs/{job_id}", summary="The state of a job")
async def status(
    request: Request, job_id: str, caller: CallerDependency, jobs: JobsDependency
) -> dict[str, Any]:
    """Return the state of a job, its progress in pages, and the URL of its result."""
    job = await asyncio.to_thread(jobs.store.get, job_id, caller)
    return _success(_status(job, _base_url(request)))


@router.delete("/jobs/{job_id}", summary="Cancel a job")
async def cancel(
    request: Request, job_id: str, caller: CallerDependency, jobs: JobsDependency
) -> dict[str, Any]:
    """Cancel a job that has not finished. A finished job is not changed."""
    await request.app.state.jobs.cancel(await asyncio.to_thread(jobs.store.get, job_id, caller))
    job = await asyncio.to_thread(jobs.store.get, job_id, caller)
    return _success(_status(job, _base_url(request)))


@router.get("/results/{token}", summary="The result of a job as JSON lines", response_class=StreamingResponse)
async def result(token: str, jobs: JobsDependency) -> StreamingResponse:
    """Return the result of a job, one line per page. The URL is secret and expires; no key is needed."""
    job = await asyncio.to_thread(jobs.store.by_token, token)
    return StreamingResponse(_lines(jobs.store, job), media_type="application/x-ndjson")


async def _lines(store: JobStore, job: Job) -> AsyncIterator[str]:
    for first in range(0, job.read_pages, _LINES):
        for line in await asyncio.to_thread(store.lines, job, first, _LINES):
            yield f"{line}\n"


def _success(data: dict[str, Any]) -> dict[str, Any]:
    return {"code": 0, "msg": "Success", "data": data}


def _base_url(request: Request) -> str:
    return str(request.base_url).rstrip("/")


def _status(job: Job, base_url: str) -> dict[str, Any]:
    data: dict[str, Any] = {"jobId": job.id, "state": job.state, "model": job.model}
    if job.total_pages:
        data["extractProgress"] = {
            "totalPages": job.total_pages,
            "extractedPages": job.read_pages,
            "startTime": _time(job.created_s),
            "endTime": _time(job.finished_s),
        }
    if job.state == "done":
        data["resultUrl"] = {"jsonUrl": f"{base_url}{PREFIX}/results/{job.token}"}
    if job.state == "failed":
        data["errorMsg"] = job.error
    return data


def _time(seconds: float) -> str | None:
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="seconds") if seconds else None


def page_line(job: Job, page: OCRResult, page_count: int) -> dict[str, Any]:
    """Build the line of a page: text lines for PP-OCR models, else Markdown in PP-StructureV3's form."""
    size = {"width": page.page.width, "height": page.page.height}
    info = {
        "numPages": page_count,
        "pages": [size],
        "type": "pdf" if page["page_index"] is not None else "image",
    }
    if _OCR_MODELS.fullmatch(job.model):
        return {"result": {"ocrResults": [{"prunedResult": pruned(page.json["res"])}], "dataInfo": info}}
    return {"result": {"layoutParsingResults": [layout_page(page)], "dataInfo": info}}
