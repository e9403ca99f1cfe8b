"""The measured programs: TritonOCR in several forms, the floor, and the peers."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from bench import peers
from bench.measured import Pass
from bench.perf_analyzer import PerfAnalyzer
from bench.processes import ProcessTree
from bench.rest import RestSubject
from bench.triton import TritonSubject, page_options
from bench.worker import SCRIPTS, Worker
from bench.workloads import Models, Page, Workload
from tritonocr_backend.core.contracts import Role
from tritonocr_backend.repository import pipeline_config
from tritonocr_backend.repository.prepare import prepare_repository
from tritonocr_backend.repository.serving_settings import ServingSettings
from tritonocr_backend.server.embedded import EmbeddedServer, ServerOptions
from tritonocr_backend.zoo.layout import FileFormat


class Reader(Protocol):
    """What a family of subjects is, once started."""

    tree: ProcessTree

    def read(self, workload: Workload, pages: Sequence[Page], clients: int) -> Pass:
        """One pass over the pages with that many requests in flight."""


class Bench:
    """Everything that is started for the subjects of one pair of models; a context manager that ends it all.

    Args:
        models: the networks.
        serving: how our repository runs them.
        scratch: directory for repositories, logs and the peers' files.
        cores: threads that each peer is given.
    """

    def __init__(self, models: Models, serving: ServingSettings, scratch: Path, cores: int) -> None:
        self.models, self.scratch, self.cores = models, scratch, cores
        self._serving = serving
        self._stack = ExitStack()
        self._readers: dict[str, Reader] = {}

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    @cached_property
    def repository(self) -> Path:
        """Our model repository with these models."""
        config = pipeline_config.default()
        roles = {Role.TEXT_DETECTION: self.models.detection, Role.TEXT_RECOGNITION: self.models.recognition}
        config = replace(config, networks={**config.networks, **roles})
        target = self.scratch / self.models.recognition / "repository"
        return prepare_repository(target, config, serving=self._serving)

    @cached_property
    def triton(self) -> TritonSubject:
        """Our server, running."""
        options = ServerOptions(log_file=self.scratch / "tritonserver.log")
        server = self._stack.enter_context(EmbeddedServer(self.repository, options))
        return TritonSubject(server.grpc_url, server.pid)

    def reader(self, family: str) -> Reader:
        """Return a group of subjects; start it at the first call."""
        if family not in self._readers:
            self._readers[family] = FAMILIES[family].start(self)
        return self._readers[family]

    def worker(self, interpreter: Path, script: str, **configuration: object) -> Worker:
        """A worker, running until the bench ends."""
        log_file = self.scratch / f"{Path(script).stem}.log"
        return self._stack.enter_context(Worker(interpreter, script, configuration, log_file))

    def rest(self, command: Sequence[str], name: str) -> RestSubject:
        """A server with `POST /ocr`, running until the bench ends."""
        return self._stack.enter_context(RestSubject(command, self.scratch / f"{name}.log"))


class _OneByOne:
    """A worker as a Reader: it reads its pages one after the other. It is started anew for other settings."""

    def __init__(self, start: Callable[[Workload], Worker]) -> None:
        self._start = start
        self._workers: dict[tuple[int, bool], Worker] = {}

    @property
    def tree(self) -> ProcessTree:
        return next(iter(self._workers.values())).tree

    def read(self, workload: Workload, pages: Sequence[Page], clients: int) -> Pass:
        settings = (workload.limit_side_len, workload.all_options)
        if settings not in self._workers:
            self._workers[settings] = self._start(workload)
        return self._workers[settings].read(pages)


@dataclass(frozen=True)
class Family:
    """A kind of subject.

    Attributes:
        label: for tables.
        clients: how many requests in flight it is measured with; each is a subject of its own.
        start: starts it.
        warm_ups: passes before the first that counts; several instances have each to meet every shape.
        networks: how the names of the networks begin that it can run.
        has_all_options: whether it has orientation and unwarping.
    """

    label: str
    clients: tuple[int, ...]
    start: Callable[[Bench], Reader]
    warm_ups: int = 1
    networks: str = "PP-OCR"
    has_all_options: bool = False

    def reads(self, workload: Workload) -> bool:
        """Return whether it can read a workload with the same networks and steps as the others."""
        knows_networks = workload.models.detection.startswith(self.networks)
        return knows_networks and (self.has_all_options or not workload.all_options)


def _triton(bench: Bench) -> Reader:
    return bench.triton


def _perf_analyzer(bench: Bench) -> Reader:
    return PerfAnalyzer(bench.triton, bench.scratch)


def _gateway(bench: Bench) -> Reader:
    command = [sys.executable, "-m", "tritonocr", "gateway", "--url", bench.triton.url, "--port", "{port}"]
    return bench.rest(command, "gateway")


def _own(script: str) -> Callable[[Bench], Reader]:
    def start(bench: Bench) -> Reader:
        def start_worker(workload: Workload) -> Worker:
            options = page_options(workload)
            repository = str(bench.repository)
            return bench.worker(Path(sys.executable), script, repository=repository, options=options)

        return _OneByOne(start_worker)

    return start


def _paddlex(engine: str, file_format: FileFormat) -> Callable[[Bench], Reader]:
    return _peer("paddlex-3.7.2", "paddlex_pipeline.py", engine, file_format)


def _rapidocr(engine: str) -> Callable[[Bench], Reader]:
    return _peer("rapidocr-3.10.0", "rapidocr_pipeline.py", engine, "onnx")


def _rapidocr_5(bench: Bench) -> Reader:
    return _peer("rapidocr-ng-5.0.0a5", "rapidocr_pipeline.py", "ppocr_cpp", "onnx")(bench)


def _faster_paddle(bench: Bench) -> Reader:
    return _peer("faster-paddle-1.0.4", "faster_paddle_pipeline.py", "onnxruntime", "onnx")(bench)


def _peer(environment: str, script: str, engine: str, file_format: FileFormat) -> Callable[[Bench], Reader]:
    def start(bench: Bench) -> Reader:
        interpreter = peers.interpreter(environment)

        def start_worker(workload: Workload) -> Worker:
            asked = _peer_configuration(bench, engine, file_format, workload)
            return bench.worker(interpreter, script, **asked)

        return _OneByOne(start_worker)

    return start


def _paddlex_server(engine: str, file_format: FileFormat) -> Callable[[Bench], Reader]:
    def start(bench: Bench) -> Reader:
        asked = _peer_configuration(bench, engine, file_format, Workload("server", (), bench.models))
        script = SCRIPTS / "paddlex_serving.py"
        command = [str(peers.interpreter("paddlex-3.7.2")), str(script), json.dumps(asked), "{port}"]
        return bench.rest(command, f"paddlex-server-{engine}")

    return start


def _peer_configuration(
    bench: Bench, engine: str, file_format: FileFormat, workload: Workload
) -> dict[str, Any]:
    return peers.configuration(workload, file_format, bench.scratch, engine=engine, threads=bench.cores)


FAMILIES: Mapping[str, Family] = {
    "ours": Family("TritonOCR, gRPC", (1, 2, 4, 8, 16, 32), _triton, warm_ups=3, has_all_options=True),
    "perf-analyzer": Family("TritonOCR, perf_analyzer", (4,), _perf_analyzer, has_all_options=True),
    "gateway": Family("TritonOCR, POST /ocr", (4, 8), _gateway),
    "in-process": Family("TritonOCR without Triton", (1,), _own("in_process.py"), has_all_options=True),
    "floor": Family("the floor", (1,), _own("floor.py"), has_all_options=True),
    "rapidocr-openvino": Family("RapidOCR, OpenVINO", (1,), _rapidocr("openvino")),
    "rapidocr-onnxruntime": Family("RapidOCR, ONNX Runtime", (1,), _rapidocr("onnxruntime")),
    "rapidocr-native": Family("RapidOCR 5, own engine", (1,), _rapidocr_5, networks="PP-OCRv6"),
    "faster-paddle": Family("faster-paddle", (1,), _faster_paddle, networks="PP-OCRv6"),
    "paddlex-onednn": Family("PaddleX, oneDNN", (1,), _paddlex("paddle_static", "paddle")),
    "paddlex-onnxruntime": Family(
        "PaddleX, ONNX Runtime", (1,), _paddlex("onnxruntime", "onnx"), has_all_options=True
    ),
    "paddlex-server": Family("PaddleX server, oneDNN", (1, 4), _paddlex_server("paddle_static", "paddle")),
    "paddlex-server-onnxruntime": Family(
        "PaddleX server, ONNX Runtime", (1, 4), _paddlex_server("onnxruntime", "onnx")
    ),
}


@dataclass(frozen=True)
class Subject:
    """A family at one number of clients."""

    family: str
    clients: int

    @property
    def name(self) -> str:
        """Its key in results."""
        return f"{self.family}@{self.clients}"

    @property
    def label(self) -> str:
        """Its name in tables."""
        family = FAMILIES[self.family]
        several = len(family.clients) > 1 or self.clients > 1
        return f"{family.label}, {self.clients} client{'s' * (self.clients > 1)}" if several else family.label


def subjects(families: Sequence[str], clients_of: Mapping[str, Sequence[int]]) -> list[Subject]:
    """The subjects of the families, with the clients named or else each family's own."""
    return [
        Subject(family, clients)
        for family in families
        for clients in clients_of.get(family, FAMILIES[family].clients)
    ]
