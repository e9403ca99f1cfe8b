"""The `ocr` and `ocr_stream` models: the whole pipeline over the other models of the server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Iterable, Iterator
from contextlib import aclosing, closing, contextmanager
from pathlib import Path
from typing import Any

import cv2
import triton_python_backend_utils as pb_utils

from tritonocr_backend.core import logs
from tritonocr_backend.core.arrays import Image, Tensors
from tritonocr_backend.core.errors import InvalidInputError, OverloadedError, StageError, reason_of
from tritonocr_backend.core.page_messages import PageError
from tritonocr_backend.core.repository_view import RepositoryView
from tritonocr_backend.core.settings import read_pipeline_settings
from tritonocr_backend.documents.pages import Page
from tritonocr_backend.documents.text_layer import TextLayer
from tritonocr_backend.pipeline.doc_preprocessing import rotate
from tritonocr_backend.pipeline.doc_unwarping import sample
from tritonocr_backend.pipeline.input_coordinates import in_input_coordinates
from tritonocr_backend.pipeline.ocr_pipeline import OcrPipeline
from tritonocr_backend.pipeline.records import PageResult, PageSettings
from tritonocr_backend.pipeline.text_layer import layer_result, merged_result
from tritonocr_backend.triton.bls import CANCELLATION, ORIGIN, BlsCaller
from tritonocr_backend.triton.cancellation import CancellationCheck
from tritonocr_backend.triton.deadline import Deadline
from tritonocr_backend.triton.drain_gate import DrainGate
from tritonocr_backend.triton.errors import error_response
from tritonocr_backend.triton.heartbeat import FILE_HANG_MARGIN_S, Heartbeat
from tritonocr_backend.triton.metrics import InstanceMetrics
from tritonocr_backend.triton.output_tensors import ReadPage, encode_picture, output_tensors
from tritonocr_backend.triton.page_decoder import PageDecoder
from tritonocr_backend.triton.quarantine import ReadingJournal, content_digest
from tritonocr_backend.triton.reporter import Reporter
from tritonocr_backend.triton.requests import OcrRequest, check_served, parse_request
from tritonocr_backend.triton.telemetry import (
    CLOCK,
    WRITE_ANSWER,
    FileRecord,
    PageRecord,
    StageClock,
    TimedCaller,
    received_bytes,
)
from tritonocr_backend.triton.tensors import read_inputs, response
from tritonocr_backend.triton.threads import started_threads
from tritonocr_backend.triton.work_share import WorkShare

CALLS_IN_FLIGHT = 16


class Ocr:
    """The model `ocr`: one response per file."""

    def initialize(self, args: dict[str, str]) -> None:
        """See Triton's Python backend."""
        logs.configure()
        cv2.setNumThreads(1)  # the instances run in parallel
        self._settings = read_pipeline_settings(Path(args["model_repository"], args["model_version"]))
        self._repository = RepositoryView.beside(args["model_repository"])
        self._threads = started_threads(CALLS_IN_FLIGHT)
        self._pipeline = OcrPipeline(
            TimedCaller(BlsCaller(self._threads, self._repository, exact=self._settings.exact))
        )
        self._loop = asyncio.new_event_loop()
        self._metrics, self._reporter = InstanceMetrics(args), Reporter(args)
        self._drain_gate, self._journal = DrainGate(), ReadingJournal()
        self._heartbeat = Heartbeat(self._settings.max_seconds + FILE_HANG_MARGIN_S)
        self._work_share = WorkShare()

    def execute(self, requests: list[pb_utils.InferenceRequest]) -> Any:
        """See Triton's Python backend."""
        with self._heartbeat.working(), self._drain_gate.working():
            responses = self._loop.run_until_complete(_gather(map(self._respond, requests)))
        self._metrics.executed()
        return responses

    def finalize(self) -> None:
        """See Triton's Python backend."""
        self._threads.shutdown()
        self._reporter.close()
        self._loop.close()
        self._drain_gate.close()
        del self._metrics

    async def _respond(self, triton_request: pb_utils.InferenceRequest) -> pb_utils.InferenceResponse:
        record = _new_record(triton_request)
        try:
            with self._recorded(triton_request):
                request = self._parse(triton_request, record)
                with closing(request.document):
                    async with aclosing(self._pages(request, triton_request, record)) as pages:
                        read = [page async for page in pages]
            return self._response(read, request, triton_request, record)
        except Exception as error:  # becomes the response to this request
            return _failure(error, record)
        finally:
            self._reporter.answered(record)

    @contextmanager
    def _recorded(self, triton_request: pb_utils.InferenceRequest) -> Iterator[None]:
        """Record that the file is read, so that a file that kills processes is recognized.

        Raises:
            InvalidInputError: processes died while they read the file.
        """
        digest = content_digest(read_inputs(triton_request)) if self._journal.is_active else ""
        with self._journal.reading(digest):
            self._heartbeat.begin()  # a suspected file has waited for other ones
            yield

    def _parse(self, triton_request: pb_utils.InferenceRequest, record: FileRecord) -> OcrRequest:
        inputs = read_inputs(triton_request)
        record.received_bytes = received_bytes(inputs)
        self._drain_gate.check()
        requested = triton_request.requested_output_names()
        return parse_request(inputs, requested, self._settings, self._repository)

    def _response(
        self,
        pages: list[ReadPage],
        request: OcrRequest,
        triton_request: pb_utils.InferenceRequest,
        record: FileRecord,
    ) -> pb_utils.InferenceResponse:
        with record.clock.running(WRITE_ANSWER):
            return response(self._tensors(pages, request), triton_request.requested_output_names())

    def _tensors(self, pages: list[ReadPage], request: OcrRequest) -> Tensors:
        """Return the output tensors; models with other tensors override it."""
        return output_tensors(pages, request.document.page_count, request.options)

    async def _pages(
        self, request: OcrRequest, triton_request: pb_utils.InferenceRequest, record: FileRecord
    ) -> AsyncGenerator[ReadPage, None]:
        """Yield the pages in order and read several at a time; stop when the client has gone.

        Only the pages in flight hold pixels: a page that is done holds its result and encoded images. Closing
        the generator cancels the pages in flight and waits for them, so that the document can be closed.
        """
        in_flight: list[asyncio.Task[ReadPage]] = []
        deadline = Deadline(self._settings.max_seconds, self._work_share)
        decoder = PageDecoder(request.document, self._threads)
        try:
            for index in request.page_indices:
                if triton_request.is_cancelled():
                    record.reason = "cancelled"
                    break
                if len(in_flight) == self._settings.pages_in_flight:
                    yield await deadline.wait_for(in_flight.pop(0))
                in_flight.append(asyncio.create_task(self._timed_read(request, index, decoder, record)))
            while in_flight:
                yield await deadline.wait_for(in_flight.pop(0))
        finally:
            for task in in_flight:
                task.cancel()
            await asyncio.gather(*in_flight, return_exceptions=True)

    async def _timed_read(
        self, request: OcrRequest, index: int, decoder: PageDecoder, record: FileRecord
    ) -> ReadPage:
        clock = StageClock({name: role.value for role, name in request.page_settings.networks.items()})
        CLOCK.set(clock)  # of this task alone
        with self._reporter.page_in_flight():
            page = await self._read_or_report(request, index, decoder)
        if page.error:
            record.reason = page.error.code
            return page
        read = PageRecord(len(page.result.lines), clock.age_s, clock.seconds)
        record.pages.append(read)
        self._reporter.page_read(read)
        return page

    async def _read_or_report(self, request: OcrRequest, index: int, decoder: PageDecoder) -> ReadPage:
        """Read a page. In a file of several pages, report a page that cannot be read and go on."""
        try:
            return await self._read(request, index, decoder)
        except InvalidInputError as error:
            check_served(request.page_settings.networks, self._repository)
            if request.document.page_count == 1:
                raise
            return ReadPage.failed(index, PageError(error.reason, str(error)))
        finally:
            await decoder.release(index)

    async def _read(self, request: OcrRequest, index: int, decoder: PageDecoder) -> ReadPage:
        layer = await self._text_layer(request, index, decoder)
        settings = request.page_settings
        if layer is None:
            page, result = await self._ocr(request, index, decoder, settings)
            return await self._with_page_images(request, index, decoder, page, result)
        with_words = settings.options["return_word_box"]
        if not len(layer.regions) or settings.options["pdf_text"] == "only":
            result = layer_result(layer, with_words=with_words)
            return await self._with_page_images(request, index, decoder, None, result)
        page, result = await self._ocr(request, index, decoder, settings.as_given())
        result = merged_result(layer, result, with_words=with_words)
        return await self._with_page_images(request, index, decoder, page, result)

    async def _text_layer(self, request: OcrRequest, index: int, decoder: PageDecoder) -> TextLayer | None:
        """Return the text layer of the page if the request selects it and it is usable."""
        wanted = request.options["pdf_text"]
        layer = None if wanted == "ocr" else await decoder.text_layer(index)
        return layer if layer and (layer.is_sound or wanted == "only") else None

    async def _ocr(
        self, request: OcrRequest, index: int, decoder: PageDecoder, settings: PageSettings
    ) -> tuple[Page, PageResult]:
        page = await decoder.page(index, settings.reduction_of)
        try:
            return page, await self._pipeline.read(page, settings)
        except (StageError, OverloadedError):
            check_served(settings.networks, self._repository)
            raise

    async def _with_page_images(
        self, request: OcrRequest, index: int, decoder: PageDecoder, page: Page | None, result: PageResult
    ) -> ReadPage:
        if request.options["coordinates"] == "input" and result.transform:
            result = in_input_coordinates(result, result.transform)
        if not request.options["return_page_images"]:
            return ReadPage(index, result.without_pixels())
        if page is None or page.reduction > 1:  # the images have all pixels
            page = await decoder.all_pixels(index)
        with CLOCK.get().running(WRITE_ANSWER):
            return await self._loop.run_in_executor(
                self._threads, _with_images, index, page, result, request.page_settings
            )


class OcrStream(Ocr):
    """The model `ocr_stream`: one response per page, as soon as the page is read."""

    def execute(self, requests: list[pb_utils.InferenceRequest]) -> None:
        """See Triton's Python backend."""
        with self._heartbeat.working(), self._drain_gate.working():
            self._loop.run_until_complete(_gather(map(self._stream, requests)))
        self._metrics.executed()

    async def _stream(self, triton_request: pb_utils.InferenceRequest) -> None:
        sender, record = triton_request.get_response_sender(), _new_record(triton_request)
        try:
            with self._recorded(triton_request):
                request = self._parse(triton_request, record)
                with closing(request.document):
                    async with aclosing(self._pages(request, triton_request, record)) as pages:
                        async for page in pages:
                            sender.send(self._response([page], request, triton_request, record))
        except Exception as error:  # becomes the response to this request
            # The error and the final flag go in one message. With the header triton_grpc_error, a client asks
            # for the stream to end with its first error, and Triton 2.51 crashes on what is sent after that.
            failure = _failure(error, record, is_streamed=True)
            sender.send(failure, flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)
            return
        finally:
            self._reporter.answered(record)
        sender.send(flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)


def _with_images(index: int, page: Page, result: PageResult, settings: PageSettings) -> ReadPage:
    """Encode the page as given and as preprocessed."""
    preprocessed = None
    options = settings.options
    is_preprocessed = options["use_doc_unwarping"] or options["use_doc_orientation_classify"]
    if is_preprocessed and options["coordinates"] == "output":  # the page that the coordinates refer to
        preprocessed = encode_picture(_preprocessed(page, result, exact=settings.exact))
    return ReadPage(index, result.without_pixels(), encode_picture(page.pixels), preprocessed)


def _preprocessed(page: Page, result: PageResult, *, exact: bool) -> Image:
    """Return all pixels of a page after rotation and unwarping."""
    if result.transform is None:
        return result.page.pixels
    turned = rotate(page, result.transform.angle).pixels
    if result.transform.grid is None:
        return turned
    return sample(turned, result.transform.grid, result.transform.flat_size, exact=exact)


def _new_record(triton_request: pb_utils.InferenceRequest) -> FileRecord:
    ORIGIN.set(triton_request)  # of this task, and of the tasks that it starts
    CANCELLATION.set(CancellationCheck(triton_request))
    return FileRecord(triton_request.request_id())


def _failure(
    error: Exception, record: FileRecord, *, is_streamed: bool = False
) -> pb_utils.InferenceResponse:
    record.reason = reason_of(error)
    return error_response(error, record.request_id, is_streamed=is_streamed)


async def _gather(responses: Iterable[Coroutine[Any, Any, Any]]) -> list[Any]:
    return await asyncio.gather(*responses)
