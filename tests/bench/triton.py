"""Measure a TritonOCR server with requests encoded before the measurement, and with Triton's statistics."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

import grpc
import numpy as np
from tritonclient.grpc import InferResult, service_pb2, service_pb2_grpc

from bench.gpu import GpuObserved
from bench.load import Load
from bench.measured import ModelWork, Pass, ReadLine
from bench.processes import ProcessTree
from bench.workloads import Page, Workload

OUTPUTS = ("rec_texts", "rec_scores", "rec_polys", "page_sizes", "dt_polys")
OPTIONS_OFF = {
    "use_doc_orientation_classify": False,
    "use_doc_unwarping": False,
    "use_textline_orientation": False,
}
_INFER = "/inference.GRPCInferenceService/ModelInfer"
_UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
_NS = 1e-9


def page_options(workload: Workload) -> dict[str, Any]:
    """The `ocr` model's options that a workload is read with."""
    return {
        **dict.fromkeys(OPTIONS_OFF, workload.all_options),
        "text_det_limit_side_len": workload.limit_side_len,
        "text_det_limit_type": "max",
        "text_det_thresh": workload.models.thresh,
        "text_det_box_thresh": workload.models.box_thresh,
        "text_det_unclip_ratio": workload.models.unclip_ratio,
    }


def encode(page: Page, options: Mapping[str, Any]) -> bytes:
    """A whole ModelInfer request: the file, or its pixels where it is a .npy."""
    request = service_pb2.ModelInferRequest(model_name="ocr")
    if page.path.suffix == ".npy":
        pixels = np.load(page.path)
        _add(request, "image", "UINT8", pixels.shape, pixels.tobytes())
    else:
        _add(request, "file", "BYTES", (1,), _text(page.path.read_bytes()))
    for name, value in options.items():
        _add(request, name, *_option(value))
    for name in OUTPUTS:
        request.outputs.add(name=name)
    return bytes(request.SerializeToString())


def _add(
    request: service_pb2.ModelInferRequest, name: str, datatype: str, shape: Sequence[int], content: bytes
) -> None:
    request.inputs.add(name=name, datatype=datatype, shape=shape)
    request.raw_input_contents.append(content)


def _option(value: Any) -> tuple[str, tuple[int], bytes]:
    encoders = {
        bool: ("BOOL", lambda: struct.pack("?", value)),
        int: ("INT32", lambda: struct.pack("<i", value)),
        float: ("FP32", lambda: struct.pack("<f", value)),
        str: ("BYTES", lambda: _text(value.encode())),
    }
    datatype, content = encoders[type(value)]
    return datatype, (1,), content()


def _text(content: bytes) -> bytes:
    return struct.pack("<I", len(content)) + content


def decode(answer: bytes) -> list[ReadLine]:
    """The lines of an answer."""
    result = InferResult(service_pb2.ModelInferResponse.FromString(answer))
    texts = [text.decode() for text in result.as_numpy("rec_texts")]
    return list(zip(result.as_numpy("rec_polys").tolist(), texts, strict=True))


class TritonSubject:
    """Reads pages with a running server.

    Args:
        grpc_url: host:port.
        pid: the tritonserver's.
    """

    def __init__(self, grpc_url: str, pid: int) -> None:
        self.url = grpc_url
        self.tree = ProcessTree(pid)
        self._channel = grpc.insecure_channel(grpc_url, options=_UNLIMITED)
        self._stub = service_pb2_grpc.GRPCInferenceServiceStub(self._channel)
        # Bytes in, bytes out: the serialisation of 3 MB per page would load the generator, not the server.
        self._infer = self._channel.unary_unary(_INFER)
        self._encoded: dict[tuple[str, str], bytes] = {}

    def read(self, workload: Workload, pages: Sequence[Page], clients: int) -> Pass:
        """One pass over the pages."""
        requests = [self._request(workload, page) for page in pages]
        with Observed(self) as observed, GpuObserved() as gpu:
            load = Load(self._infer, clients).run(requests)
        return Pass(
            pages=sum(page.page_count for page in pages),
            wall_s=load.wall_s,
            latencies_s=load.latencies_s,
            cpu_s=sum(work.cpu_s for work in observed.models.values()),
            client_cpu_s=load.cpu_s,
            peak_mb=self.tree.peak_mb(),
            lines={page.name: decode(answer) for page, answer in zip(pages, load.answers, strict=True)},
            models=observed.models,
            details=gpu.figures,
        )

    def statistics(self) -> dict[str, ModelWork]:
        """Each model's work since the server started, the processor time of its processes included."""
        found = self._stub.ModelStatistics(service_pb2.ModelStatisticsRequest())
        cpu_s = self.tree.cpu_s_by_model()
        works = {model.name: _work(model, cpu_s.get(model.name, 0)) for model in found.model_stats}
        return {**works, "tritonserver": ModelWork(cpu_s=cpu_s.get("", 0))}

    def _request(self, workload: Workload, page: Page) -> bytes:
        key = (workload.name, str(page.path))
        if key not in self._encoded:
            self._encoded[key] = encode(page, page_options(workload))
        return self._encoded[key]


class Observed:
    """The models' work between entering and leaving, for those that did any; a context manager."""

    def __init__(self, subject: TritonSubject) -> None:
        self._subject = subject
        self.models: dict[str, ModelWork] = {}

    def __enter__(self) -> Observed:
        self._subject.tree.reset_peak()
        self._before = self._subject.statistics()
        return self

    def __exit__(self, *error: object) -> None:
        after = self._subject.statistics()
        differences = {name: after[name] - self._before.get(name, ModelWork()) for name in after}
        self.models = {name: work for name, work in differences.items() if work.requests or work.cpu_s}


def _work(model: service_pb2.ModelStatistics, cpu_s: float) -> ModelWork:
    stats = model.inference_stats
    return ModelWork(
        requests=stats.success.count,
        executions=model.execution_count,
        rows=model.inference_count,
        queue_s=stats.queue.ns * _NS,
        input_s=stats.compute_input.ns * _NS,
        infer_s=stats.compute_infer.ns * _NS,
        output_s=stats.compute_output.ns * _NS,
        cpu_s=cpu_s,
    )
