"""PaddleX's general OCR service: `POST /ocr`."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from tritonocr_gateway.adapters.protocol import Adapter
from tritonocr_gateway.disconnects import unless_disconnected
from tritonocr_gateway.errors import InvalidRequestError, log_id_of
from tritonocr_gateway.files import check_file_type, from_base64, is_pdf, is_url
from tritonocr_gateway.request_body import (
    FORM_TYPE,
    JSON_TYPE,
    Form,
    invalid_field,
    media_type_of,
    read_form,
    read_json,
    unsupported_type,
    validated,
)
from tritonocr_gateway.request_log import trace_headers
from tritonocr_gateway.responses import JSON, PDF, TEXT, FileResult, preferred_type, render
from tritonocr_gateway.schemas import Failure, OCRFields, OCRForm, OCRRequest, Success, schema_of
from tritonocr_gateway.security import require_key
from tritonocr_gateway.service import Service, ServiceDependency
from tritonocr_gateway.settings import Settings

router = APIRouter(dependencies=[Depends(require_key)])
ADAPTER = Adapter("paddlex_ocr", router)

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
    422: {"model": Failure, "description": "A field or the file is invalid."},
    429: {"model": Failure, "description": "A limit is reached; Retry-After says when to try again."},
    500: {"model": Failure, "description": "The gateway or the OCR server failed."},
    501: {"model": Failure, "description": "The gateway lacks a package."},
    502: {"model": Failure, "description": "The OCR server sent an invalid response."},
    503: {"model": Failure, "description": "The OCR server is unavailable."},
    504: {"model": Failure, "description": "The file was not read in time."},
}
_OTHER_TYPES = {TEXT: {"schema": {"type": "string"}}, PDF: {"schema": {"type": "string", "format": "binary"}}}


@dataclass(frozen=True)
class OCRInput:
    """A request whose fields are valid.

    Attributes:
        fields: the fields except the file.
        file: the file's bytes, or text: Base64 or a URL.
    """

    fields: OCRFields
    file: bytes | str


@router.post(
    "/ocr",
    summary="Read an image or PDF",
    response_model=None,
    responses={200: {"model": Success, "content": _OTHER_TYPES}, **_ERRORS},
    openapi_extra={"requestBody": _BODY},
)
async def ocr(request: Request, service: ServiceDependency) -> Response:
    """Read an image or PDF, as PaddleX's `POST /ocr` does.

    With `Accept: text/plain` the response is the text, with form feeds between pages; with
    `Accept: application/pdf` it is a searchable PDF.
    """
    service.admission.check()  # reject before the upload
    ocr_input = await _read_input(request, service)
    request.state.log_id = ocr_input.fields.log_id or log_id_of(request)
    with service.admission.permit():
        media_type = preferred_type(request.headers.get("accept", "*/*"))
        return await unless_disconnected(request, _respond(service, ocr_input, request, media_type))


async def _read_input(request: Request, service: Service) -> OCRInput:
    media_type = media_type_of(request)
    if media_type == JSON_TYPE:
        fields = validated(OCRRequest, await read_json(request, service))
        return OCRInput(fields, fields.file)
    if media_type == FORM_TYPE:
        return _form_input(await read_form(request, service))
    raise unsupported_type(request, JSON_TYPE, FORM_TYPE)


def _form_input(form: Form) -> OCRInput:
    values: dict[str, Any] = {name: value for name, value in form.fields.items() if name != "file"}
    if values.get("fileType") in ("0", "1"):  # the one field whose type pydantic does not read from text
        values["fileType"] = int(values["fileType"])
    fields = validated(OCRFields, values)
    if uploads := form.files.get("file"):
        return OCRInput(fields, uploads[-1].content)
    if "file" not in form.fields:
        raise invalid_field("missing", ("file",), "Field required")
    return OCRInput(fields, form.fields["file"])


async def _respond(service: Service, ocr_input: OCRInput, request: Request, media_type: str) -> Response:
    log_id = log_id_of(request)
    fields, content = ocr_input.fields, await _content(service, ocr_input)
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
    read = FileResult(
        results=results,
        is_pdf=is_pdf(content),
        log_id=log_id,
        visualize=visualize,
        picture_max_side_px=service.settings.picture_max_side_px,
        return_page_image=with_page_image,
        return_text=bool(fields.return_text),
        unknown_fields=tuple(fields.model_extra or ()),
    )
    return await asyncio.get_running_loop().run_in_executor(service.drawing, render, read, media_type)


async def _content(service: Service, ocr_input: OCRInput) -> bytes:
    if isinstance(ocr_input.file, bytes):
        return ocr_input.file
    if is_url(ocr_input.file):
        return await service.fetcher.fetch(ocr_input.file)
    return await asyncio.to_thread(from_base64, ocr_input.file)


def _or(given: bool | None, default: bool) -> bool:
    return default if given is None else given


def _max_pages(requested: int | None, settings: Settings) -> int | None:
    if requested is not None and requested > settings.max_pages:
        raise InvalidRequestError(
            f"maxPages is {requested}; this gateway reads at most {settings.max_pages} pages of a file "
            "(setting max_pages)."
        )
    return requested or settings.explicit_max_pages
