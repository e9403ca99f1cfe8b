"""The `ocr` and `ocr_stream` models: the whole pipeline over the other models of the server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import triton_python_backend_utils as pb_utils

from tritonocr_backend.columns import ReadPage, encode_picture, output_tensors
from tritonocr_backend.errors import OverloadedError, StageError
from tritonocr_backend.local_stages import LocalStages
from tritonocr_backend.pipeline import OcrPipeline
from tritonocr_backend.repository_view import RepositoryView
from tritonocr_backend.requests import OcrRequest, check_served, parse_request
from tritonocr_backend.settings import read_pipeline_settings
from tritonocr_backend.triton.bls import BlsCaller
from tritonocr_backend.triton.errors import error_response
from tritonocr_backend.triton.load_time import LoadTime
from tritonocr_backend.triton.tensors import read_inputs, response

CALLS_IN_FLIGHT = 16


class Ocr:
    """`ocr`: one response per file."""

    def initialize(self, args: dict[str, str]) -> None:
        """See Triton's Python backend."""
        cv2.setNumThreads(1)  # instances are what runs in parallel
        self._settings = read_pipeline_settings(Path(args["model_repository"], args["model_version"]))
        self._repository = RepositoryView.beside(args["model_repository"])
        self._threads = ThreadPoolExecutor(CALLS_IN_FLIGHT)
        calls = BlsCaller(self._threads, self._repository)
        self._pipeline = OcrPipeline(LocalStages(self._settings.local_stages, self._repository, calls))
        self._loop = asyncio.new_event_loop()
        self._load_time = LoadTime(args)

    def execute(self, requests: list[pb_utils.InferenceRequest]) -> Any:
        """See Triton's Python backend."""
        return self._loop.run_until_complete(_all(map(self._answer, requests)))

    def finalize(self) -> None:
        """See Triton's Python backend."""
        self._threads.shutdown()
        self._loop.close()

    async def _answer(self, request: pb_utils.InferenceRequest) -> pb_utils.InferenceResponse:
        try:
            names = request.requested_output_names()
            asked = self._parse(request)
            try:
                pages = [page async for page in self._pages(asked, request)]
            finally:
                asked.document.close()
            return response(output_tensors(pages, asked.document.page_count, asked.options), names)
        except Exception as error:  # becomes this request's answer
            return error_response(error)

    def _parse(self, request: pb_utils.InferenceRequest) -> OcrRequest:
        names = request.requested_output_names()
        return parse_request(read_inputs(request), names, self._settings, self._repository)

    async def _pages(self, asked: OcrRequest, request: pb_utils.InferenceRequest) -> AsyncIterator[ReadPage]:
        """The pages in order, several being read at the same time; no more once the client has gone."""
        in_flight: list[asyncio.Task[ReadPage]] = []
        decoding = asyncio.Lock()  # a document is read by one thread at a time
        try:
            for index in asked.page_indices:
                if request.is_cancelled():
                    break
                if len(in_flight) == self._settings.pages_in_flight:
                    yield await in_flight.pop(0)
                in_flight.append(asyncio.create_task(self._read(asked, index, decoding)))
            while in_flight:
                yield await in_flight.pop(0)
        finally:
            for task in in_flight:
                task.cancel()
            await asyncio.gather(*in_flight, return_exceptions=True)

    async def _read(self, asked: OcrRequest, index: int, decoding: asyncio.Lock) -> ReadPage:
        async with decoding:
            page = await self._loop.run_in_executor(self._threads, asked.document.read_page, index)
        try:
            result = await self._pipeline.read(page, asked.page_settings)
        except (StageError, OverloadedError):
            check_served(asked.page_settings.networks, self._repository)
            raise
        if not asked.return_page_images:
            return ReadPage(index, result)
        settings = asked.page_settings
        is_preprocessed = settings.use_doc_orientation_classify or settings.use_doc_unwarping
        preprocessed = encode_picture(result.page) if is_preprocessed else None
        return ReadPage(index, result, encode_picture(page), preprocessed)


class OcrStream(Ocr):
    """`ocr_stream`: one response per page, as it is done."""

    def execute(self, requests: list[pb_utils.InferenceRequest]) -> None:
        """See Triton's Python backend."""
        self._loop.run_until_complete(_all(map(self._stream, requests)))

    async def _stream(self, request: pb_utils.InferenceRequest) -> None:
        sender = request.get_response_sender()
        names = request.requested_output_names()
        try:
            asked = self._parse(request)
            try:
                async for page in self._pages(asked, request):
                    tensors = output_tensors([page], asked.document.page_count, asked.options)
                    sender.send(response(tensors, names))
            finally:
                asked.document.close()
        except Exception as error:  # becomes this request's answer
            # In one message: a gRPC client may ask for the stream to end with its first error, and Triton
            # 2.51 crashes on anything sent after that.
            sender.send(error_response(error), flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)
            return
        sender.send(flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)


async def _all(answers: Iterable[Coroutine[Any, Any, Any]]) -> list[Any]:
    return await asyncio.gather(*answers)
