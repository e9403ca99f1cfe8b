"""PaddleX's general OCR service: `POST /ocr`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

import tritonocr
from tritonocr_common.file_formats import is_pdf, is_tiff
from tritonocr_gateway.adapters.protocol import Adapter
from tritonocr_gateway.corrections import corrected
from tritonocr_gateway.disconnects import unless_disconnected
from tritonocr_gateway.errors import (
    GatewayError,
    InvalidRequestError,
    error_details,
    log_id_of,
    paddlex_error_body,
)
from tritonocr_gateway.files import check_file_type
from tritonocr_gateway.ocr_input import OCRInput, content_of, read_input
from tritonocr_gateway.page_documents import PagesForThread, document_response, writer_of
from tritonocr_gateway.request_body import (
    FORM_TYPE,
    JSON_TYPE,
)
from tritonocr_gateway.request_log import trace_headers
from tritonocr_gateway.responses import (
    DOCUMENTS,
    JSON,
    NDJSON,
    PDF,
    SUCCESS,
    ResponseOptions,
    json_response,
    page_fields,
    preferred_type,
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
    ocr_input = await read_input(request, service)
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


async def _respond(
    service: Service, fields: OCRFields, file: bytes | str, request: Request, media_type: str
) -> Response:
    content = await content_of(request, service, file)
    check_file_type(content, fields.file_type)
    options = _response_options(service, fields, content, request, media_type)
    if media_type == JSON and not (is_pdf(content) or is_tiff(content)):
        results = list(
            corrected(await _read_file(service, fields, content, request), fields.corrections or ())
        )
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(service.drawing, json_response, results, options)
    pages = PagesForThread(_responses(service, fields, content, request, media_type))
    write = writer_of(media_type, options, content, service.drawing)
    response = await document_response(
        pages, lambda read, file: write(corrected(read, fields.corrections or ()), file), media_type
    )
    service.metrics.pages.inc(pages.read)
    return response


async def _respond_per_file(service: Service, ocr_input: OCRInput, request: Request) -> Response:
    """Read the files one after the other. A file that cannot be read has an error in its own result."""
    results = []
    for file in ocr_input.files:
        entry: dict[str, Any] = {"fileName": file.name, **SUCCESS}
        try:
            entry["result"] = await _file_fields(service, ocr_input.fields, file.content, request)
        except (GatewayError, tritonocr.TritonOCRError) as error:
            details = error_details(error, log_id_of(request))
            entry |= {"errorCode": details.status, "errorMsg": details.message}
        results.append(entry)
    return JSONResponse({"logId": log_id_of(request), **SUCCESS, "results": results})


async def _file_fields(
    service: Service, fields: OCRFields, file: bytes | str, request: Request
) -> dict[str, Any]:
    content = await content_of(request, service, file)
    check_file_type(content, fields.file_type)
    results = await _read_file(service, fields, content, request)
    options = _response_options(service, fields, content, request, JSON)
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(service.drawing, result_fields, results, options)


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
        content = await content_of(request, service, ocr_input.files[0].content)
        check_file_type(content, fields.file_type)
        options = _response_options(service, fields, content, request, NDJSON)
        index = 0
        async with aclosing(_responses(service, fields, content, request, NDJSON)) as responses:
            async for results in responses:
                for result in results:
                    service.metrics.pages.inc()
                    yield _line({"logId": log_id, **_streamed_page(result, index, options)})
                    index += 1


def _streamed_page(result: tritonocr.OCRResult, index: int, options: ResponseOptions) -> dict[str, Any]:
    """Build the line of a page. Warnings about the whole request are on the first line."""
    about_request = () if index else warnings_of_fields(options.unknown_fields)
    warnings = [*about_request, *warnings_of_page(result, index + 1)]
    return {
        "pageIndex": index,
        "pageCount": result.page_count,
        **page_fields(result, options),
        **({"warnings": warnings} if warnings else {}),
    }


def _line(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode() + b"\n"


async def _read_file(
    service: Service, fields: OCRFields, content: bytes, request: Request
) -> list[tritonocr.OCRResult]:
    """Read all pages of a file for a response in JSON."""
    results = await service.client.ocr(
        content,
        request_id=log_id_of(request),
        headers=trace_headers(request),
        retry="restarts",
        **_client_options(service, fields, JSON),
    )
    service.metrics.pages.inc(len(results))
    return results


def _responses(
    service: Service, fields: OCRFields, content: bytes, request: Request, media_type: str
) -> AsyncGenerator[list[tritonocr.OCRResult], None]:
    """Read a file page by page."""
    return service.client.responses(
        content,
        _client_options(service, fields, media_type),
        page_by_page=True,
        input_path=None,
        timeout_s=service.client.timeout_s,
        retry="restarts",
        request_id=log_id_of(request),
        headers=trace_headers(request),
    )


def _client_options(service: Service, fields: OCRFields, media_type: str) -> dict[str, Any]:
    """Return the options of a request to the server, with the options that the format needs."""
    draws = media_type == JSON and _visualize(service, fields)
    shows = media_type in (JSON, NDJSON) and bool(fields.return_page_image)
    options = {
        "return_page_images": draws or shows or media_type == PDF,
        **_held_by(media_type),
        **fields.options(),
        "max_pages": _max_pages(fields.max_pages, service.settings),
    }
    return {name: value for name, value in options.items() if value is not None}


def _response_options(
    service: Service, fields: OCRFields, content: bytes, request: Request, media_type: str
) -> ResponseOptions:
    return ResponseOptions(
        is_pdf=is_pdf(content),
        log_id=log_id_of(request),
        visualize=media_type == JSON and _visualize(service, fields),
        picture_max_side_px=service.settings.picture_max_side_px,
        return_page_image=bool(fields.return_page_image),
        return_text=media_type == NDJSON or bool(fields.return_text),
        unknown_fields=tuple(fields.model_extra or ()),
    )


def _held_by(media_type: str) -> dict[str, Any]:
    """Return the options that make the server return the content of a format."""
    if media_type == PDF:
        # The text is placed on the original pages, and only missing text is added.
        return {"return_word_box": True, "coordinates": "input", "pdf_text": "auto"}
    return {"return_word_box": True} if media_type in DOCUMENTS and DOCUMENTS[media_type].has_words else {}


def _visualize(service: Service, fields: OCRFields) -> bool:
    return service.settings.visualize if fields.visualize is None else fields.visualize


def _max_pages(requested: int | None, settings: Settings) -> int | None:
    if requested is not None and requested > settings.max_pages:
        raise InvalidRequestError(
            f"maxPages is {requested}; this gateway reads at most {settings.max_pages} pages of a file "
            "(setting max_pages)."
        )
    return requested or settings.explicit_max_pages
