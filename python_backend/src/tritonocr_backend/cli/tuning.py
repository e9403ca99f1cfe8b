"""Finding the fastest way to run the models on this machine, with pages of one's own.

One question after the other: which engine and precision, how recognition shares the cores, how many files at
a time. The best so far and a challenger read the same pages by turns, each on a server of its own, so that a
noisy machine disturbs both; what counts is the median of the rounds' ratios.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tritonocr import OCRClient, OCRFailure, OCRResult
from tritonocr_backend.core.contracts import Role
from tritonocr_backend.core.errors import ServerError
from tritonocr_backend.repository.network_config import ServingSettings
from tritonocr_backend.repository.pipeline_config import PipelineConfig
from tritonocr_backend.repository.prepare import prepare_repository
from tritonocr_backend.server.embedded import EmbeddedServer, ServerOptions

WORTH_CHANGING = 1.03
"""A challenger must be this many times as fast: less is noise."""

Read = Callable[[bytes], list[str]]
Start = Callable[[ServingSettings], "Subject"]


@dataclass(frozen=True)
class Candidate:
    """A way to run the models, and what to call it in a table."""

    name: str
    serving: ServingSettings


@dataclass
class Subject:
    """A running candidate.

    Attributes:
        read: reads a file; gives the texts of its lines.
        close: ends its server.
        speeds: pages a second, a number a round.
        latencies_s: seconds of every file.
        texts: what it read, a list a file.
    """

    read: Read
    close: Callable[[], None]
    speeds: list[float] = field(default_factory=list)
    latencies_s: list[float] = field(default_factory=list)
    texts: list[list[str]] = field(default_factory=list)


@dataclass(frozen=True)
class Finding:
    """A challenger's measurement.

    Attributes:
        candidate: what was measured.
        pages_per_second: median of its rounds.
        ratio: to the best so far, median over rounds.
        median_latency_s: seconds a file, other files being read at the same time.
        agreement: the share of its lines that read as the first candidate's do.
        is_best: whether it is the best from here on.
    """

    candidate: Candidate
    pages_per_second: float
    ratio: float
    median_latency_s: float
    agreement: float
    is_best: bool


@dataclass(frozen=True)
class Effort:
    """How hard to measure: `rounds` of all files by as many clients, and the least agreement accepted."""

    clients: int = 4
    rounds: int = 3
    least_agreement: float = 0.9


def questions(cores: int) -> list[Callable[[ServingSettings], list[Candidate]]]:
    """Return the tuning steps in order; each step returns the candidates for the best settings so far."""
    return [
        _engines,
        lambda best: _recognition_layouts(best, cores),
        lambda best: _detection_layouts(best, cores),
        lambda best: _files_at_a_time(best, cores),
    ]


def tune(start: Start, files: Sequence[bytes], cores: int, effort: Effort) -> Generator[Finding, None, None]:
    """Measure the default settings and their challengers; the last `is_best` is the answer.

    Args:
        start: starts a server with some settings.
        files: pages to read; the more alike to one's own, the better.
        cores: how many the machine has.
        effort: how hard to measure.
    """
    best = Candidate("as it comes", ServingSettings())
    with ExitStack() as servers:
        fastest = servers.enter_context(_running(start, best, files, effort))
        _round(fastest, files, effort)
        reference = fastest.texts
        yield _finding(best, fastest, fastest, reference, effort, is_first=True)
        for question in questions(cores):
            for challenger in question(best.serving):
                with ExitStack() as server:
                    subject = server.enter_context(_running(start, challenger, files, effort))
                    _by_turns(fastest, subject, files, effort)
                    finding = _finding(challenger, subject, fastest, reference, effort)
                    if finding.is_best:
                        best, fastest = challenger, subject
                        servers.close()  # the one that is no longer the best
                        servers.enter_context(server.pop_all())
                yield finding


def agreement(texts: Sequence[Sequence[str]], reference: Sequence[Sequence[str]]) -> float:
    """Return the share of the reference's lines that the texts of the same file contain."""
    pairs = [
        (line, set(lines)) for lines, expected in zip(texts, reference, strict=True) for line in expected
    ]
    return sum(line in lines for line, lines in pairs) / len(pairs) if pairs else 1.0


def server_of(config: PipelineConfig, options: Mapping[str, Any]) -> Start:
    """Return a `Start` that runs a pipeline on its own server.

    Args:
        config: the pipeline.
        options: `predict()` options that pages are read with.
    """

    def start(serving: ServingSettings) -> Subject:
        with ExitStack() as stack:
            scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tritonocr-tune-")))
            repository = prepare_repository(scratch / "repository", config, serving=serving)
            server = stack.enter_context(
                EmbeddedServer(repository, ServerOptions(log_file=scratch / "server.log"), scratch)
            )
            client = stack.enter_context(OCRClient(server.grpc_url))
            return Subject(lambda file: _texts(client.predict(file, **options)), stack.pop_all().close)

    return start


def _texts(results: Iterator[OCRResult | OCRFailure]) -> list[str]:
    lines: list[str] = []
    for result in results:
        if isinstance(result, OCRFailure):
            raise ServerError(f"a page to tune with cannot be read: {result}")
        lines.extend(result["rec_texts"])
    return lines


@contextmanager
def _running(start: Start, candidate: Candidate, files: Sequence[bytes], effort: Effort) -> Iterator[Subject]:
    subject = start(candidate.serving)
    try:
        _round(subject, files, effort)  # engines prepare themselves for shapes that are new to them
        subject.speeds.clear()
        subject.latencies_s.clear()
        yield subject
    finally:
        subject.close()


def _by_turns(best: Subject, challenger: Subject, files: Sequence[bytes], effort: Effort) -> None:
    best.speeds.clear()
    for number in range(effort.rounds):
        for subject in (best, challenger) if number % 2 else (challenger, best):
            _round(subject, files, effort)


def _round(subject: Subject, files: Sequence[bytes], effort: Effort) -> None:
    def timed(file: bytes) -> list[str]:
        started_s = time.monotonic()
        texts = subject.read(file)
        subject.latencies_s.append(time.monotonic() - started_s)
        return texts

    started_s = time.monotonic()
    with ThreadPoolExecutor(effort.clients) as clients:
        subject.texts = list(clients.map(timed, files))
    subject.speeds.append(len(files) / (time.monotonic() - started_s))


def _finding(
    candidate: Candidate,
    subject: Subject,
    best: Subject,
    reference: list[list[str]],
    effort: Effort,
    *,
    is_first: bool = False,
) -> Finding:
    ratio = statistics.median(mine / other for mine, other in zip(subject.speeds, best.speeds, strict=True))
    alike = agreement(subject.texts, reference)
    return Finding(
        candidate=candidate,
        pages_per_second=statistics.median(subject.speeds),
        ratio=ratio,
        median_latency_s=statistics.median(subject.latencies_s),
        agreement=alike,
        is_best=is_first or (ratio >= WORTH_CHANGING and alike >= effort.least_agreement),
    )


def _engines(best: ServingSettings) -> list[Candidate]:
    tried = [("onnxruntime, f32", "onnxruntime", "f32")]
    if find_spec("openvino"):
        tried.insert(0, ("openvino, f32", "openvino", "f32"))
    return [Candidate(name, replace(best, engine=engine, precision=p)) for name, engine, p in tried]


def _recognition_layouts(best: ServingSettings, cores: int) -> list[Candidate]:
    """Few instances with many threads, or many with few."""
    layouts = sorted({(1, cores), (max(1, cores // 2), 2), (cores, 1), (cores + 1, 1)})
    return [
        _with_layout(best, Role.TEXT_RECOGNITION, instances, threads)
        for instances, threads in layouts
        if threads <= cores
    ]


def _detection_layouts(best: ServingSettings, cores: int) -> list[Candidate]:
    layouts = sorted({(1, cores), (2, max(1, cores // 2)), (cores, 1)})
    return [_with_layout(best, Role.TEXT_DETECTION, instances, threads) for instances, threads in layouts]


def _with_layout(best: ServingSettings, role: Role, instances: int, threads: int) -> Candidate:
    serving = replace(
        best,
        instances={**best.instances, role.value: instances},
        threads={**best.threads, role: threads},
    )
    return Candidate(f"{role.value}: {instances} x {threads} threads", serving)


def _files_at_a_time(best: ServingSettings, cores: int) -> list[Candidate]:
    return [
        Candidate(f"{count} files at a time", replace(best, instances={**best.instances, "ocr": count}))
        for count in sorted({cores, cores + 1, 3 * cores, 4 * cores})
    ]
