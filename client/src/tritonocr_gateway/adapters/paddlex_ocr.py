"""PaddleX's general OCR service: `POST /ocr`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

import tritonocr
from tritonocr_common.file_formats import is_pdf
from tritonocr_gateway.adapters.protocol import Adapter
from tritonocr_gateway.corrections import correct
from tritonocr_gateway.disconnects import unless_disconnected
from tritonocr_gateway.errors import (
    GatewayError,
    InvalidRequestError,
    error_details,
    log_id_of,
    paddlex_error_body,
)
from tritonocr_gateway.files import check_file_type, from_base64, is_url
from tritonocr_gateway.request_body import (
    FORM_TYPE,
    JSON_TYPE,
    Form,
    invalid_field,
    media_type_of,
    read_bytes,
    read_form,
    read_json,
    run_parser,
    unsupported_type,
    validated,
)
from tritonocr_gateway.request_log import trace_headers
from tritonocr_gateway.responses import (
    DOCUMENTS,
    JSON,
    NDJSON,
    PDF,
    FileResult,
    page_fields,
    preferred_type,
    render,
    result_fields,
    warnings_of_fields,
    warnings_of_page,
)
from tritonocr_gateway.schemas import OCRFields, OCRForm, OCRRequest, Success, schema_of
from tritonocr_gateway.security import require_key
from tritonocr_gateway.service import Service, ServiceDependency
from tritonocr_gateway.settings import Settings

router = APIRouter(dependencies=[Depends(require_key)])
ADAPTER = Adapter("paddlex_ocr", router)

_RAW_TYPES = ("application/pdf", "application/octet-stream")
_BODY = {
    "required": True,
    "content": {
        JSON_TYPE: {"schema": schema_of(OCRRequest)},
        FORM_TYPE: {"schema": schema_of(OCRForm)},
        "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
    },
}
_OTHER_TYPES = {
    **{media_type: {"schema": {"type": "string"}} for media_type in DOCUMENTS},
    NDJSON: {"schema": {"type": "string"}},
    PDF: {"schema": {"type": "string", "format": "binary"}},
}


@router.post(
    "/ocr",
    summary="Read an image or PDF",
    response_model=None,
    responses={200: {"model": Success, "content": _OTHER_TYPES}},
    openapi_extra={"requestBody": _BODY},
)
async def ocr(request: Request, service: ServiceDependency) -> Response:
    """Read an image or PDF, as PaddleX's `POST /ocr` does.

    The body can also be the file itself, with the fields in the query. The response to a form with several
    files has one result per file.

    `Accept` chooses another format than JSON: `text/plain` (form feeds between pages), `text/markdown`,
    `text/csv`, `text/tab-separated-values` (Tesseract's columns), `text/vnd.hocr+html`,
    `application/alto+xml`, `application/vnd.prima.page+xml` (files of one page), `application/pdf` (a
    searchable PDF), or `application/x-ndjson`: one JSON line per page once it is read.
    """
    service.admission.check()  # reject before the upload
    ocr_input = await _read_input(request, service)
    request.state.log_id = ocr_input.fields.log_id or log_id_of(request)
    media_type = preferred_type(request.headers.get("accept", "*/*"))
    if ocr_input.fields.corrections and (len(ocr_input.files) > 1 or media_type == NDJSON):
        raise InvalidRequestError(f"corrections applies to one file, and not to {NDJSON}.")
    if len(ocr_input.files) > 1:
        if media_type != JSON:
            raise InvalidRequestError(
                f"The response to several files is {JSON} only; send one file per request."
            )
        with service.admission.permit():
            return await unless_disconnected(request, _respond_per_file(service, ocr_input, request))
    if media_type == NDJSON:
        return await _stream(service, ocr_input, request)
    with service.admission.permit():
        work = _respond(service, ocr_input.fields, ocr_input.files[0].content, request, media_type)
        return await unless_disconnected(request, work)


@dataclass(frozen=True)
class InputFile:
    """A file of a request.

    Attributes:
        name: the name in the form; empty where the request gives none.
        content: the bytes, or text: Base64 or a URL.
    """

    name: str
    content: bytes | str


@dataclass(frozen=True)
class OCRInput:
    """A request whose fields are valid.

    Attributes:
        fields: the fields except the files.
        files: at least one file.
    """

    fields: OCRFields
    files: Sequence[InputFile]


async def _read_input(request: Request, service: Service) -> OCRInput:
    media_type = media_type_of(request)
    if media_type == JSON_TYPE:
        fields = validated(OCRRequest, await read_json(request, service))
        return OCRInput(fields, [InputFile("", fields.file)])
    if media_type == FORM_TYPE:
        return _form_input(await read_form(request, service))
    if media_type.startswith("image/") or media_type in _RAW_TYPES:
        fields = _text_fields(dict(request.query_params))
        return OCRInput(fields, [InputFile("", await read_bytes(request, service))])
    raise unsupported_type(request, JSON_TYPE, FORM_TYPE, "the file itself (image/*, application/pdf)")


def _form_input(form: Form) -> OCRInput:
    fields = _text_fields({name: value for name, value in form.fields.items() if name != "file"})
    if uploads := form.files.get("file"):
        return OCRInput(fields, [InputFile(upload.name, upload.content) for upload in uploads])
    if "file" not in form.fields:
        raise invalid_field("missing", ("file",), "Field required")
    return OCRInput(fields, [InputFile("", form.fields["file"])])


def _text_fields(values: dict[str, Any]) -> OCRFields:
    """Validate fields that are text, as in a form or a query."""
    if values.get("fileType") in ("0", "1"):  # the one field whose type pydantic does not read from text
        values["fileType"] = int(values["fileType"])
    fields: OCRFields = validated(OCRFields, values)
    return fields


async def _respond(
    service: Service, fields: OCRFields, file: bytes | str, request: Request, media_type: str
) -> Response:
    read = await _read_file(service, fields, file, request, media_type)
    return await asyncio.get_running_loop().run_in_executor(service.drawing, render, read, media_type)


async def _respond_per_file(service: Service, ocr_input: OCRInput, request: Request) -> Response:
    """Read the files one after the other. A file that cannot be read has an error in its own result."""
    results = []
    for file in ocr_input.files:
        entry: dict[str, Any] = {"fileName": file.name, "errorCode": 0, "errorMsg": "Success"}
        try:
            read = await _read_file(service, ocr_input.fields, file.content, request, JSON)
            loop = asyncio.get_running_loop()
            entry["result"] = await loop.run_in_executor(service.drawing, result_fields, read)
        except (GatewayError, tritonocr.TritonOCRError) as error:
            details = error_details(error, log_id_of(request))
            entry |= {"errorCode": details.status, "errorMsg": details.message}
        results.append(entry)
    body = {"logId": log_id_of(request), "errorCode": 0, "errorMsg": "Success", "results": results}
    return JSONResponse(body)


async def _stream(service: Service, ocr_input: OCRInput, request: Request) -> Response:
    """Send each page as a JSON line once it is read. An error before the first page has its own status."""
    lines = _page_lines(service, ocr_input, request)
    first = await unless_disconnected(request, anext(lines))

    async def all_lines() -> AsyncIterator[bytes]:
        yield first
        try:
            async for line in lines:
                yield line
        except (GatewayError, tritonocr.TritonOCRError) as error:
            yield _line(paddlex_error_body(error_details(error, log_id_of(request))))

    return StreamingResponse(all_lines(), media_type=NDJSON)


async def _page_lines(service: Service, ocr_input: OCRInput, request: Request) -> AsyncGenerator[bytes, None]:
    fields, log_id = ocr_input.fields, log_id_of(request)
    with service.admission.permit():
        content = await _content(service, ocr_input.files[0].content)
        check_file_type(content, fields.file_type)
        responses = service.client.responses(
            content,
            _streamed_options(fields, service.settings),
            page_by_page=True,
            input_path=None,
            timeout_s=service.client.timeout_s,
            retry="restarts",
            request_id=log_id,
            headers=trace_headers(request),
        )
        index = 0
        async with aclosing(responses):
            async for pages in responses:
                for result in pages:
                    service.metrics.pages.inc()
                    yield _line({"logId": log_id, **_streamed_page(result, index, fields)})
                    index += 1


def _streamed_options(fields: OCRFields, settings: Settings) -> dict[str, Any]:
    """Return the options of a stream, which `OCRFields` has checked."""
    max_pages = _max_pages(fields.max_pages, settings)
    return {
        **fields.options(),
        "return_page_images": bool(fields.return_page_image),
        **({} if max_pages is None else {"max_pages": max_pages}),
    }


def _streamed_page(result: tritonocr.OCRResult, index: int, fields: OCRFields) -> dict[str, Any]:
    """Build the line of a page. Warnings about the whole request are on the first line."""
    about_request = () if index else warnings_of_fields(tuple(fields.model_extra or ()))
    warnings = [*about_request, *warnings_of_page(result, index + 1)]
    return {
        "pageIndex": index,
        "pageCount": result.page_count,
        **page_fields(result, with_page_image=bool(fields.return_page_image), with_text=True),
        **({"warnings": warnings} if warnings else {}),
    }


def _line(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode() + b"\n"


async def _read_file(
    service: Service, fields: OCRFields, file: bytes | str, request: Request, media_type: str
) -> FileResult:
    log_id, content = log_id_of(request), await _content(service, file)
    check_file_type(content, fields.file_type)
    is_json = media_type == JSON
    visualize = is_json and _or(fields.visualize, service.settings.visualize)
    with_page_image = is_json and bool(fields.return_page_image)
    results = await service.client.ocr(
        content,
        request_id=log_id,
        headers=trace_headers(request),
        retry="restarts",
        return_page_images=visualize or with_page_image or media_type == PDF,
        **{
            **_held_by(media_type),
            **fields.options(),
            "max_pages": _max_pages(fields.max_pages, service.settings),
        },
    )
    service.metrics.pages.inc(len(results))
    correct(results, fields.corrections or ())
    return FileResult(
        results=results,
        is_pdf=is_pdf(content),
        log_id=log_id,
        original=content if media_type == PDF else None,
        visualize=visualize,
        picture_max_side_px=service.settings.picture_max_side_px,
        return_page_image=with_page_image,
        return_text=bool(fields.return_text),
        unknown_fields=tuple(fields.model_extra or ()),
    )


def _held_by(media_type: str) -> dict[str, Any]:
    """Return the options that make the server return what a format holds."""
    if media_type == PDF:
        return {"return_word_box": True, "coordinates": "input"}
    return {"return_word_box": True} if media_type in DOCUMENTS and DOCUMENTS[media_type].has_words else {}


async def _content(service: Service, file: bytes | str) -> bytes:
    if isinstance(file, bytes):
        return file
    return await service.fetcher.fetch(file) if is_url(file) else await run_parser(service, from_base64, file)


def _or(given: bool | None, default: bool) -> bool:
    return default if given is None else given


def _max_pages(requested: int | None, settings: Settings) -> int | None:
    if requested is not None and requested > settings.max_pages:
        raise InvalidRequestError(
            f"maxPages is {requested}; this gateway reads at most {settings.max_pages} pages of a file "
            "(setting max_pages)."
        )
    return requested or settings.explicit_max_pages
