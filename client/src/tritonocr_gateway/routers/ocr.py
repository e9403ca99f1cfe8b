"""`POST /ocr`."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from tritonocr_gateway.answers import JSON, PDF, TEXT, Read, preferred_type, render
from tritonocr_gateway.bodies import FORM_TYPE, JSON_TYPE, Asked, read_request
from tritonocr_gateway.disconnects import unless_disconnected
from tritonocr_gateway.errors import InvalidRequestError, log_id_of
from tritonocr_gateway.files import check_file_type, from_base64, is_pdf, is_url
from tritonocr_gateway.request_log import trace_headers
from tritonocr_gateway.schemas import Failure, OCRForm, OCRRequest, Success, schema_of
from tritonocr_gateway.security import require_key
from tritonocr_gateway.service import Service, ServiceDependency
from tritonocr_gateway.settings import Settings

router = APIRouter(dependencies=[Depends(require_key)])

_BODY = {
    "required": True,
    "content": {
        JSON_TYPE: {"schema": schema_of(OCRRequest)},
        FORM_TYPE: {"schema": schema_of(OCRForm)},
    },
}
_ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"model": Failure, "description": "The body cannot be parsed."},
    401: {"model": Failure, "description": "The API key is missing or wrong."},
    408: {"model": Failure, "description": "The body did not arrive in time."},
    413: {"model": Failure, "description": "The body is too large."},
    415: {"model": Failure, "description": "The body is neither JSON nor a form."},
    422: {"model": Failure, "description": "A field or the file is wrong."},
    429: {"model": Failure, "description": "All places are taken; Retry-After says when to come back."},
    500: {"model": Failure, "description": "The gateway or the OCR server failed."},
    501: {"model": Failure, "description": "The gateway lacks a package."},
    502: {"model": Failure, "description": "The OCR server does not answer as it should."},
    503: {"model": Failure, "description": "The OCR server is away."},
    504: {"model": Failure, "description": "The file was not read in time."},
}
_OTHER_TYPES = {TEXT: {"schema": {"type": "string"}}, PDF: {"schema": {"type": "string", "format": "binary"}}}


@router.post(
    "/ocr",
    summary="Read an image or PDF",
    response_model=None,
    responses={200: {"model": Success, "content": _OTHER_TYPES}, **_ERRORS},
    openapi_extra={"requestBody": _BODY},
)
async def ocr(request: Request, service: ServiceDependency) -> Response:
    """Read an image or PDF, as PaddleX's `POST /ocr` does.

    `Accept: text/plain` answers the text alone, pages parted by form feeds; `application/pdf` a searchable
    PDF.
    """
    with service.admission.permit():
        asked = await read_request(request, service.settings)
        media_type = preferred_type(request.headers.get("accept", "*/*"))
        return await unless_disconnected(request, _answer(service, asked, request, media_type))


async def _answer(service: Service, asked: Asked, request: Request, media_type: str) -> Response:
    log_id = log_id_of(request)
    fields, content = asked.fields, await _content(service, asked)
    check_file_type(content, fields.file_type)
    is_json = media_type == JSON
    visualize = is_json and _or(fields.visualize, service.settings.visualize)
    with_page_image = is_json and bool(fields.return_page_image)
    results = await service.client.ocr(
        content,
        request_id=log_id,
        headers=trace_headers(request),
        return_page_images=visualize or with_page_image or media_type == PDF,
        **{**fields.options(), "max_pages": _max_pages(fields.max_pages, service.settings)},
    )
    service.metrics.pages.inc(len(results))
    read = Read(
        results=results,
        is_pdf=is_pdf(content),
        log_id=log_id,
        visualize=visualize,
        return_page_image=with_page_image,
        return_text=bool(fields.return_text),
        unknown_fields=tuple(fields.model_extra or ()),
    )
    return await asyncio.get_running_loop().run_in_executor(service.drawing, render, read, media_type)


async def _content(service: Service, asked: Asked) -> bytes:
    if isinstance(asked.file, bytes):
        return asked.file
    if is_url(asked.file):
        return await service.fetcher.fetch(asked.file)
    return await asyncio.to_thread(from_base64, asked.file)


def _or(given: bool | None, default: bool) -> bool:
    return default if given is None else given


def _max_pages(asked: int | None, settings: Settings) -> int | None:
    if asked is not None and asked > settings.max_pages:
        raise InvalidRequestError(
            f"maxPages is {asked}; this gateway reads at most {settings.max_pages} pages of a file "
            "(setting max_pages)."
        )
    return asked or settings.stated_max_pages
