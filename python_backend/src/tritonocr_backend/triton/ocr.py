"""The `ocr` and `ocr_stream` models: the whole pipeline over the other models of the server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import triton_python_backend_utils as pb_utils

from tritonocr_backend.core import logs
from tritonocr_backend.core.errors import InvalidInputError, OverloadedError, StageError, reason_of
from tritonocr_backend.core.page_messages import PageError
from tritonocr_backend.core.repository_view import RepositoryView
from tritonocr_backend.core.settings import read_pipeline_settings
from tritonocr_backend.documents.pages import Page, ReductionOf, unreduced
from tritonocr_backend.pipeline.doc_preprocessing import rotate
from tritonocr_backend.pipeline.ocr_pipeline import OcrPipeline
from tritonocr_backend.pipeline.records import PageResult, PageSettings
from tritonocr_backend.triton.bls import ORIGIN, BlsCaller
from tritonocr_backend.triton.drain_gate import DrainGate
from tritonocr_backend.triton.errors import error_response
from tritonocr_backend.triton.metrics import InstanceMetrics
from tritonocr_backend.triton.output_tensors import ReadPage, encode_picture, output_tensors
from tritonocr_backend.triton.reporter import Reporter
from tritonocr_backend.triton.requests import OcrRequest, check_served, parse_request
from tritonocr_backend.triton.telemetry import (
    CLOCK,
    READ_FILE,
    WRITE_ANSWER,
    FileRecord,
    PageRecord,
    StageClock,
    TimedCaller,
    received_bytes,
)
from tritonocr_backend.triton.tensors import read_inputs, response

CALLS_IN_FLIGHT = 16


class Ocr:
    """`ocr`: one response per file."""

    def initialize(self, args: dict[str, str]) -> None:
        """See Triton's Python backend."""
        logs.configure()
        cv2.setNumThreads(1)  # instances are what runs in parallel
        self._settings = read_pipeline_settings(Path(args["model_repository"], args["model_version"]))
        self._repository = RepositoryView.beside(args["model_repository"])
        self._threads = ThreadPoolExecutor(CALLS_IN_FLIGHT)
        self._pipeline = OcrPipeline(TimedCaller(BlsCaller(self._threads, self._repository)))
        self._loop = asyncio.new_event_loop()
        self._metrics, self._reporter = InstanceMetrics(args), Reporter(args)
        self._door = DrainGate()

    def execute(self, requests: list[pb_utils.InferenceRequest]) -> Any:
        """See Triton's Python backend."""
        with self._door.working():
            answers = self._loop.run_until_complete(_all(map(self._answer, requests)))
        self._metrics.executed()
        return answers

    def finalize(self) -> None:
        """See Triton's Python backend."""
        self._threads.shutdown()
        self._reporter.close()
        self._loop.close()
        self._door.close()

    async def _answer(self, request: pb_utils.InferenceRequest) -> pb_utils.InferenceResponse:
        record = _record_of(request)
        try:
            asked = self._parse(request, record)
            try:
                pages = [page async for page in self._pages(asked, request, record)]
            finally:
                asked.document.close()
            return _response(pages, asked, request, record)
        except Exception as error:  # becomes this request's answer
            return _failure(error, record)
        finally:
            self._reporter.answered(record)

    def _parse(self, request: pb_utils.InferenceRequest, record: FileRecord) -> OcrRequest:
        inputs = read_inputs(request)
        record.received_bytes = received_bytes(inputs)
        self._door.check()
        return parse_request(inputs, request.requested_output_names(), self._settings, self._repository)

    async def _pages(
        self, asked: OcrRequest, request: pb_utils.InferenceRequest, record: FileRecord
    ) -> AsyncIterator[ReadPage]:
        """The pages in order, several being read at the same time; no more once the client has gone."""
        in_flight: list[asyncio.Task[ReadPage]] = []
        deadline_s = self._loop.time() + self._settings.max_seconds
        decoding = asyncio.Lock()  # a document is read by one thread at a time
        try:
            for index in asked.page_indices:
                if request.is_cancelled():
                    record.reason = "cancelled"
                    break
                if len(in_flight) == self._settings.pages_in_flight:
                    yield await self._in_time(in_flight.pop(0), deadline_s)
                in_flight.append(asyncio.create_task(self._timed_read(asked, index, decoding, record)))
            while in_flight:
                yield await self._in_time(in_flight.pop(0), deadline_s)
        finally:
            for task in in_flight:
                task.cancel()
            await asyncio.gather(*in_flight, return_exceptions=True)

    async def _in_time(self, page: asyncio.Task[ReadPage], deadline_s: float) -> ReadPage:
        try:
            return await asyncio.wait_for(page, deadline_s - self._loop.time())
        except asyncio.TimeoutError as error:
            raise InvalidInputError(
                f"file: reading its pages takes more than {self._settings.max_seconds} s "
                "(limit max_seconds), expected fewer or smaller ones",
                "too_large",
            ) from error

    async def _timed_read(
        self, asked: OcrRequest, index: int, decoding: asyncio.Lock, record: FileRecord
    ) -> ReadPage:
        clock = StageClock({name: role.value for role, name in asked.page_settings.networks.items()})
        CLOCK.set(clock)  # of this task alone
        with self._reporter.page_in_flight():
            page = await self._read_or_report(asked, index, decoding)
        if page.error:
            record.reason = page.error.code
            return page
        read = PageRecord(len(page.result.lines), clock.age_s, clock.seconds)
        record.pages.append(read)
        self._reporter.page_read(read)
        return page

    async def _read_or_report(self, asked: OcrRequest, index: int, decoding: asyncio.Lock) -> ReadPage:
        """Read a page. In a file of several pages, report a page that cannot be read and go on."""
        try:
            return await self._read(asked, index, decoding)
        except InvalidInputError as error:
            check_served(asked.page_settings.networks, self._repository)
            if asked.document.page_count == 1:
                raise
            return ReadPage.failed(index, PageError(error.reason, str(error)))

    async def _read(self, asked: OcrRequest, index: int, decoding: asyncio.Lock) -> ReadPage:
        async with decoding:
            with CLOCK.get().running(READ_FILE):
                page = await self._decode(asked, index, asked.page_settings.reduction_of)
        try:
            result = await self._pipeline.read(page, asked.page_settings)
        except (StageError, OverloadedError):
            check_served(asked.page_settings.networks, self._repository)
            raise
        if not asked.options["return_page_images"]:
            return ReadPage(index, result)
        if page.reduction > 1:  # pictures have all pixels
            async with decoding:
                page = await self._decode(asked, index, unreduced)
        with CLOCK.get().running(WRITE_ANSWER):
            return _with_pictures(index, page, result, asked.page_settings)

    async def _decode(self, asked: OcrRequest, index: int, reduction_of: ReductionOf) -> Page:
        read = asked.document.read_page
        return await self._loop.run_in_executor(self._threads, read, index, reduction_of)


class OcrStream(Ocr):
    """`ocr_stream`: one response per page, as it is done."""

    def execute(self, requests: list[pb_utils.InferenceRequest]) -> None:
        """See Triton's Python backend."""
        with self._door.working():
            self._loop.run_until_complete(_all(map(self._stream, requests)))
        self._metrics.executed()

    async def _stream(self, request: pb_utils.InferenceRequest) -> None:
        sender, record = request.get_response_sender(), _record_of(request)
        try:
            asked = self._parse(request, record)
            try:
                async for page in self._pages(asked, request, record):
                    sender.send(_response([page], asked, request, record))
            finally:
                asked.document.close()
        except Exception as error:  # becomes this request's answer
            # In one message: a gRPC client may ask for the stream to end with its first error, and Triton
            # 2.51 crashes on anything sent after that.
            sender.send(_failure(error, record), flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)
            return
        finally:
            self._reporter.answered(record)
        sender.send(flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)


def _with_pictures(index: int, page: Page, result: PageResult, settings: PageSettings) -> ReadPage:
    """A page read, with pictures of it as given and as preprocessed."""
    preprocessed = None
    if settings.options["use_doc_unwarping"]:
        preprocessed = encode_picture(result.page.pixels)
    elif settings.options["use_doc_orientation_classify"]:
        preprocessed = encode_picture(rotate(page, result.doc_angle).pixels)
    return ReadPage(index, result, encode_picture(page.pixels), preprocessed)


def _record_of(request: pb_utils.InferenceRequest) -> FileRecord:
    ORIGIN.set(request)  # of this task, and of those that it starts
    return FileRecord(request.request_id())


def _response(
    pages: list[ReadPage], asked: OcrRequest, request: pb_utils.InferenceRequest, record: FileRecord
) -> pb_utils.InferenceResponse:
    with record.clock.running(WRITE_ANSWER):
        tensors = output_tensors(pages, asked.document.page_count, asked.options)
        return response(tensors, request.requested_output_names())


def _failure(error: Exception, record: FileRecord) -> pb_utils.InferenceResponse:
    record.reason = reason_of(error)
    return error_response(error, record.request_id)


async def _all(answers: Iterable[Coroutine[Any, Any, Any]]) -> list[Any]:
    return await asyncio.gather(*answers)
