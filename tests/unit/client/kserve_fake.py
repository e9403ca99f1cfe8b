"""A KServe gRPC server without Triton, and the tensors that the `ocr` model would answer with."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
import numpy as np
from numpy.typing import NDArray
from tritonclient.grpc import service_pb2, service_pb2_grpc
from tritonclient.utils import deserialize_bytes_tensor, serialize_byte_tensor

from tritonocr import OPTIONS, OCRResult
from tritonocr._options import DEFAULTS
from tritonocr._transport.decoding import decode_response
from tritonocr._transport.output_tensors import NUMPY_DTYPES, OUTPUTS
from tritonocr._transport.protocol import encode_request
from tritonocr_common.error_reasons import append_reason, split_reason

Tensors = dict[str, NDArray[Any]]


def texts(values: list[str]) -> NDArray[Any]:
    return np.array([value.encode() for value in values], dtype=np.object_)


def blank_answer(pages: int = 1, page_count: int | None = None) -> Tensors:
    """Pages of 20 x 10 pixels without text."""
    empty = {
        name: np.empty((0, *output.row_shape), NUMPY_DTYPES[output.datatype])
        for name, output in OUTPUTS.items()
        if name != "settings"  # the server that answers adds its own
    }
    return {
        **empty,
        "page_sizes": np.array([[20, 10]] * pages, np.int32),
        "doc_angle": np.full(pages, -1, np.int32),
        "unwarped": np.zeros(pages, np.bool_),
        "max_candidates_reached": np.zeros(pages, np.bool_),
        "page_warnings": texts(["[]"] * pages),
        "page_errors": texts([""] * pages),
        "page_count": np.array([page_count or pages], np.int32),
    }


def one_block(page_index: NDArray[np.int32]) -> Tensors:
    """The layout of pages whose lines stand under each other, in their order, in one paragraph per page."""
    ranks = np.concatenate(
        [np.zeros(0, np.int32), *(np.arange(count) for count in np.unique(page_index, return_counts=True)[1])]
    ).astype(np.int32)
    return {
        "reading_order": ranks,
        "row_index": ranks,
        "block_index": np.zeros(len(page_index), np.int32),
        "block_kind": texts(["paragraph"] * len(page_index)),
    }


def answer_with_lines(lines: list[str], page_of_line: list[int] | None = None, pages: int = 1) -> Tensors:
    """Lines under each other, each 8 pixels wide and 4 high, on pages of 20 x 10 pixels."""
    count = len(lines)
    rows = np.arange(count, dtype=np.int32) * 5
    polys = np.stack(
        [
            np.stack([x, rows + y], axis=1)
            for x, y in ((rows * 0, 0), (rows * 0 + 8, 0), (rows * 0 + 8, 4), (rows * 0, 4))
        ],
        axis=1,
    ).astype(np.int32)
    page_index = np.array(page_of_line or [0] * count, np.int32)
    return {
        **blank_answer(pages),
        "dt_page_index": page_index,
        "dt_polys": polys,
        "dt_scores": np.full(count, 0.75, np.float32),
        "textline_orientation_angles": np.full(count, -1, np.int32),
        "page_index": page_index,
        "rec_texts": texts(lines),
        "rec_scores": np.full(count, 0.5, np.float32),
        "rec_polys": polys,
        "rec_boxes": np.stack([rows * 0, rows, rows * 0 + 8, rows + 4], axis=1).astype(np.int32),
        "rec_sources": texts(["ocr"] * count),
        **one_block(page_index),
    }


def decoded(
    tensors: Tensors, settings: dict[str, Any], *, input_path: str | None, is_pdf: bool = False
) -> list[OCRResult]:
    """Decode an answer that was given with these settings."""
    request = encode_request(b"file", settings, request_id="0123456789abcdef")
    answered = {"settings": texts([json.dumps(settings)]), **tensors}
    return decode_response(answered, request, input_path=input_path, is_pdf=is_pdf)


Answer = Callable[[dict[str, Any]], Tensors]


class FakeServicer(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc]
    """Answers every request with `answer(inputs)`; an exception made by `refuse()` becomes its status."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.requests: list[Any] = []
        self.metadata: list[dict[str, Any]] = []
        self.cancelled = threading.Event()
        self.release = threading.Event()
        self.release.set()
        self.ready = True
        self.probes = 0

    def ServerLive(self, request: Any, context: Any) -> Any:  # noqa: N802
        return service_pb2.ServerLiveResponse(live=True)

    def ServerReady(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.probes += 1
        return service_pb2.ServerReadyResponse(ready=self.ready)

    def ModelReady(self, request: Any, context: Any) -> Any:  # noqa: N802
        return service_pb2.ModelReadyResponse(ready=True)

    def ModelConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        response = service_pb2.ModelConfigResponse()
        response.config.parameters["text_det_thresh"].string_value = "0.25"
        return response

    def ModelInfer(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.requests.append(request)
        self.metadata.append(dict(context.invocation_metadata()))
        context.add_callback(lambda: self.cancelled.set() if not context.code() else None)
        self.release.wait(10)
        try:
            inputs = decoded_inputs(request)
            tensors = {"settings": settings_in_force(inputs), **self.answer(inputs)}
        except RefusalError as refusal:
            context.abort(refusal.code, str(refusal))
        response = service_pb2.ModelInferResponse(id=request.id)
        for output in request.outputs:
            _add_output(response, output.name, tensors[output.name])
        return response

    def ModelStreamInfer(self, requests: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        """Yield one response per page."""
        for request in requests:
            self.requests.append(request)
            context.add_callback(lambda: self.cancelled.set() if not context.code() else None)
            try:
                inputs = decoded_inputs(request)
                for tensors in self.pages(inputs):
                    self.release.wait(10)
                    answered = {"settings": settings_in_force(inputs), **tensors}
                    response = service_pb2.ModelStreamInferResponse()
                    response.infer_response.id = request.id
                    for output in request.outputs:
                        _add_output(response.infer_response, output.name, answered[output.name])
                    yield response
            except RefusalError as refusal:
                if refusal.code is not grpc.StatusCode.INVALID_ARGUMENT:
                    context.abort(refusal.code, str(refusal))
                # An error of the model itself: in a stream, Triton sends a message without a status.
                sentence, reason = split_reason(str(refusal))
                message = append_reason(sentence, reason or "invalid_request", has_status=False)
                yield service_pb2.ModelStreamInferResponse(error_message=message)

    def pages(self, inputs: dict[str, Any]) -> Iterator[Tensors]:
        """What `ocr_stream` answers."""
        yield self.answer(inputs)


def settings_in_force(inputs: dict[str, Any]) -> NDArray[Any]:
    """The fake's own settings under those of a request."""
    given = {name: _told(inputs[name][0]) for name in OPTIONS if name in inputs}
    return texts([json.dumps({**DEFAULTS, "text_det_thresh": 0.25, **given})])


def _told(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    return float(str(value)) if isinstance(value, np.float32) else value.item()


class RefusalError(Exception):
    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code


def decoded_inputs(request: Any) -> dict[str, Any]:
    """The request's inputs as arrays, as Triton's Python backend would see them."""
    return {
        tensor.name: _decoded(tensor.datatype, raw, list(tensor.shape))
        for tensor, raw in zip(request.inputs, request.raw_input_contents, strict=True)
    }


def _decoded(datatype: str, raw: bytes, shape: list[int]) -> NDArray[Any]:
    if datatype == "BYTES":
        array: NDArray[Any] = deserialize_bytes_tensor(raw).reshape(shape)
        return array
    return np.frombuffer(raw, NUMPY_DTYPES[datatype]).reshape(shape)


def _add_output(response: Any, name: str, array: NDArray[Any]) -> None:
    response.outputs.add(name=name, datatype=OUTPUTS[name].datatype, shape=array.shape)
    if OUTPUTS[name].datatype == "BYTES":
        packed = serialize_byte_tensor(array)
        response.raw_output_contents.append(packed.item() if packed.size else b"")
    else:
        response.raw_output_contents.append(array.tobytes())


@contextmanager
def serving(
    answer: Answer,
    servicer_class: type[FakeServicer] = FakeServicer,
    address: str = "127.0.0.1:0",
    credentials: grpc.ServerCredentials | None = None,
) -> Iterator[tuple[str, FakeServicer]]:
    """Run the fake on a free port or on the given port; yield its address and the servicer."""
    servicer = servicer_class(answer)
    server = grpc.server(ThreadPoolExecutor(16), options=[("grpc.max_receive_message_length", -1)])
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(servicer, server)
    port = server.add_secure_port(address, credentials) if credentials else server.add_insecure_port(address)
    server.start()
    try:
        yield f"127.0.0.1:{port}", servicer
    finally:
        servicer.release.set()
        server.stop(grace=None).wait()


def read_back(inputs: dict[str, Any]) -> Tensors:
    """Answer a file with its own content as the one line; refuse what starts with `bad`."""
    if "image" in inputs:
        return answer_with_lines([str(inputs["image"].shape)])
    text = inputs["file"].item().decode()
    if text.startswith("slow"):
        time.sleep(0.2)
    if text.startswith("bad"):
        raise RefusalError(grpc.StatusCode.INVALID_ARGUMENT, f"file: got {text}, expected a page")
    return answer_with_lines([text])
