"""Write the pages of a file into a temporary file while they are read: memory holds a few pages at a time."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import IO, Any

from starlette.responses import Response, StreamingResponse

from tritonocr import OCRResult, formatted, write_searchable_pdf
from tritonocr_gateway.responses import (
    DOCUMENTS,
    JSON,
    PDF,
    SUCCESS,
    PageSummary,
    ResponseOptions,
    count_headers,
    file_fields,
    page_fields,
    summary_of,
)

Write = Callable[[Iterable[OCRResult], IO[bytes]], None]
"""Writes the pages of a file as one document."""

_PIECE_BYTES = 1 << 18


class PagesForThread:
    """The pages that an event loop reads, for one thread that iterates over them.

    Attributes:
        page_count: pages of the file; 0 before the first page.
        read: pages that were read.
    """

    def __init__(self, responses: AsyncGenerator[list[OCRResult], None]) -> None:
        self.page_count = self.read = 0
        self._responses = responses
        self._loop = asyncio.get_running_loop()
        self._reading = asyncio.Lock()
        self._next: Future[list[OCRResult] | None] | None = None

    def __iter__(self) -> Iterator[OCRResult]:
        while True:
            self._next = asyncio.run_coroutine_threadsafe(self._next_pages(), self._loop)
            pages = self._next.result()
            if pages is None:
                return
            for page in pages:
                self.page_count, self.read = page.page_count, self.read + 1
                yield page

    async def _next_pages(self) -> list[OCRResult] | None:
        async with self._reading:
            return await anext(self._responses, None)

    async def close(self) -> None:
        """End the iteration and the request to the server."""
        if self._next is not None:
            self._next.cancel()
        async with self._reading:
            await self._responses.aclose()


async def document_response(pages: PagesForThread, write: Write, media_type: str) -> Response:
    """Write a document in a thread of its own, and return it as a response.

    Raises:
        InvalidInputError: the document cannot be made of these pages.
        TritonOCRError: the server failed or rejected the file.
    """
    file = tempfile.TemporaryFile()  # noqa: SIM115 (the response closes it)
    try:
        await write_pages(pages, write, file)
    except BaseException:
        file.close()
        raise
    return file_response(file, media_type, count_headers(pages.page_count, pages.read))


async def write_pages(pages: PagesForThread, write: Write, file: IO[bytes]) -> None:
    """Write pages in a thread of their own. The request to the server ends with it.

    Raises:
        InvalidInputError: the document cannot be made of these pages.
        TritonOCRError: the server failed or rejected the file.
    """
    executor = ThreadPoolExecutor(1, "document")
    try:
        await asyncio.get_running_loop().run_in_executor(executor, write, pages, file)
    finally:
        executor.shutdown(wait=False)
        await pages.close()


def file_response(file: IO[bytes], media_type: str, headers: dict[str, str] | None = None) -> Response:
    """Return the content of a file, which is closed then."""
    size = file.seek(0, 2)
    file.seek(0)
    if size <= _PIECE_BYTES:
        with file:
            return Response(file.read(), media_type=media_type, headers=headers)
    headers = {**(headers or {}), "Content-Length": str(size)}
    return StreamingResponse(_pieces(file), media_type=media_type, headers=headers)


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while piece := file.read(_PIECE_BYTES):
            yield piece


def writer_of(media_type: str, options: ResponseOptions, original: bytes, drawing: Executor) -> Write:
    """Return the function that writes documents of a media type.

    Args:
        media_type: JSON, PDF, or one of `DOCUMENTS`.
        options: what the response contains.
        original: the bytes of the file.
        drawing: draws the pictures of JSON.
    """
    if media_type == PDF:
        return lambda pages, file: write_searchable_pdf(pages, file, original)
    if media_type == JSON:
        return lambda pages, file: file.writelines(_json_pieces(pages, options, drawing))
    name = DOCUMENTS[media_type].name
    return lambda pages, file: file.writelines(
        piece.encode("utf-8", "backslashreplace") for piece in formatted(pages, name)
    )


def _json_pieces(pages: Iterable[OCRResult], options: ResponseOptions, drawing: Executor) -> Iterator[bytes]:
    """Yield the JSON of `responses.json_response()`, page by page."""
    yield b'{"logId":' + json_bytes(options.log_id) + b',"result":'
    yield from result_pieces(pages, options, drawing)
    yield b"," + json_bytes(SUCCESS)[1:]


def result_pieces(pages: Iterable[OCRResult], options: ResponseOptions, drawing: Executor) -> Iterator[bytes]:
    """Yield the JSON of `responses.result_fields()`, page by page. `drawing` draws the pictures."""
    yield b'{"ocrResults":['
    summaries: list[PageSummary] = []
    for number, page in enumerate(pages, 1):
        yield (b"," if summaries else b"") + drawing.submit(_page_json, page, options).result()
        summaries.append(summary_of(page, number))
    yield b"]," + json_bytes(file_fields(summaries, options))[1:]


def _page_json(page: OCRResult, options: ResponseOptions) -> bytes:
    return json_bytes(page_fields(page, options))


def json_bytes(value: Any) -> bytes:
    """Return a value as Starlette's JSONResponse writes it."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
