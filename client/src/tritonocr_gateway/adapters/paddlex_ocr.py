"""PaddleX's general OCR service: `POST /ocr`."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import aclosing
from itertools import chain
from typing import IO, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse

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
from tritonocr_gateway.ocr_input import InputFile, OCRInput, content_of, read_input
from tritonocr_gateway.ocr_reading import read_file, read_pages, response_options
from tritonocr_gateway.page_documents import (
    PagesForThread,
    document_response,
    file_response,
    json_bytes,
    result_pieces,
    write_pages,
    writer_of,
)
from tritonocr_gateway.request_body import FORM_TYPE, JSON_TYPE
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
    warnings_of_fields,
    warnings_of_page,
)
from tritonocr_gateway.schemas import OCRFields, OCRForm, OCRRequest, Success, schema_of
from tritonocr_gateway.security import require_key
from tritonocr_gateway.service import Service, ServiceDependency

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
    files has one result per file, and is `application/json` or `application/x-ndjson`.

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
    if len(ocr_input.files) > 1 and media_type not in (JSON, NDJSON):
        raise InvalidRequestError(
            f"The response to several files is {JSON} or {NDJSON}; send one file per request."
        )
    if media_type == NDJSON:
        return await _stream(service, ocr_input, request)
    if len(ocr_input.files) > 1:
        with service.admission.permit():
            return await unless_disconnected(request, _respond_per_file(service, ocr_input, request))
    with service.admission.permit():
        work = _respond(service, ocr_input.fields, ocr_input.files[0], request, media_type)
        return await unless_disconnected(request, work)


async def _respond(
    service: Service, fields: OCRFields, file: InputFile, request: Request, media_type: str
) -> Response:
    content = await content_of(request, service, file.content)
    check_file_type(content, fields.file_type)
    options = response_options(service, fields, content, request, media_type)
    if media_type == JSON and not (is_pdf(content) or is_tiff(content)):
        results = list(
            corrected(await read_file(service, fields, content, request), fields.corrections or ())
        )
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(service.drawing, json_response, results, options)
    pages = PagesForThread(read_pages(service, fields, content, request, media_type, file.name))
    write = writer_of(media_type, options, content, service.drawing)
    response = await document_response(
        pages, lambda read, file: write(corrected(read, fields.corrections or ()), file), media_type
    )
    service.metrics.pages.inc(pages.read)
    return response


async def _respond_per_file(service: Service, ocr_input: OCRInput, request: Request) -> Response:
    """Read the files one after the other, and write their results into a temporary file."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 (the response closes it)
    try:
        head = {"logId": log_id_of(request), **SUCCESS}
        file.write(json_bytes(head)[:-1] + b',"results":[')
        for number, each in enumerate(ocr_input.files):
            file.write(b"," if number else b"")
            head = {"fileName": each.name, "fileIndex": number}
            await _write_entry(service, ocr_input.fields, each, request, file, head)
        file.write(b"]}")
    except BaseException:
        file.close()
        raise
    return file_response(file, JSON)


async def _write_entry(
    service: Service,
    fields: OCRFields,
    named: InputFile,
    request: Request,
    output: IO[bytes],
    head: dict[str, Any],
) -> None:
    """Write the result of one of several files. The result of a file that cannot be read is an error."""
    start = output.tell()
    try:
        content = await content_of(request, service, named.content)
        check_file_type(content, fields.file_type)
        options = response_options(service, fields, content, request, JSON)
        pages = PagesForThread(read_pages(service, fields, content, request, JSON))
        first = json_bytes({**head, **SUCCESS})[:-1] + b',"result":'

        def write(read: Iterable[tritonocr.OCRResult], file: IO[bytes]) -> None:
            file.writelines(chain((first,), result_pieces(read, options, service.drawing), (b"}",)))

        await write_pages(pages, write, output)
        service.metrics.pages.inc(pages.read)
    except (GatewayError, tritonocr.TritonOCRError) as error:
        output.seek(start)
        output.truncate()
        output.write(json_bytes({**head, **_error_fields(error, request)}))


def _error_fields(error: Exception, request: Request) -> dict[str, Any]:
    details = error_details(error, log_id_of(request))
    return {"errorCode": details.status, "errorMsg": details.message}


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
    """Yield a line per page. Of several files, each has its name in its lines, and its error in a line."""
    is_alone = len(ocr_input.files) == 1
    with service.admission.permit():
        for number, file in enumerate(ocr_input.files):
            name = {} if is_alone else {"fileName": file.name, "fileIndex": number}
            try:
                async with aclosing(_streamed_pages(service, ocr_input.fields, file, request)) as pages:
                    async for page in pages:
                        yield _line({"logId": log_id_of(request), **name, **page})
            except (GatewayError, tritonocr.TritonOCRError) as error:
                if is_alone:
                    raise
                yield _line({"logId": log_id_of(request), **name, **_error_fields(error, request)})


async def _streamed_pages(
    service: Service, fields: OCRFields, file: InputFile, request: Request
) -> AsyncGenerator[dict[str, Any], None]:
    content = await content_of(request, service, file.content)
    check_file_type(content, fields.file_type)
    options = response_options(service, fields, content, request, NDJSON)
    index = 0
    async with aclosing(read_pages(service, fields, content, request, NDJSON)) as responses:
        async for results in responses:
            for result in results:
                service.metrics.pages.inc()
                yield _streamed_page(result, index, options)
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
