"""Find the fastest settings for this machine with the user's pages.

The questions follow one another: engine and precision, instances and threads of the networks, number of files
at a time. The best candidate so far and a challenger read the same pages in turn, each on its own server, so
that other load on the machine affects both. Each round gives one ratio of their speeds. The challenger wins
if the median ratio is at least WORTH_CHANGING.
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
from tritonocr_backend.repository.pipeline_config import PipelineConfig
from tritonocr_backend.repository.prepare import prepare_repository
from tritonocr_backend.repository.serving_settings import ServingSettings
from tritonocr_backend.server.embedded import EmbeddedServer, ServerOptions

WORTH_CHANGING = 1.03
"""Smallest median speed ratio at which a challenger replaces the best candidate; smaller ratios are noise."""

Read = Callable[[bytes], list[str]]
Start = Callable[[ServingSettings], "Subject"]


@dataclass(frozen=True)
class Candidate:
    """Settings to measure, and their name in the table."""

    name: str
    serving: ServingSettings


@dataclass
class Subject:
    """A running candidate.

    Attributes:
        read: reads a file and returns the texts of its lines.
        close: stops the server.
        speeds: pages per second, one value per round.
        latencies_s: seconds per file, one value per request.
        texts: the texts of the lines, one list per file.
    """

    read: Read
    close: Callable[[], None]
    speeds: list[float] = field(default_factory=list)
    latencies_s: list[float] = field(default_factory=list)
    texts: list[list[str]] = field(default_factory=list)


@dataclass(frozen=True)
class Finding:
    """The measurement of a candidate.

    Attributes:
        candidate: the settings.
        pages_per_second: median over the rounds.
        ratio: speed relative to the best candidate so far, median over the rounds.
        slowest_ratio: the smallest ratio of a round.
        median_latency_s: seconds per file while other files are read.
        agreement: share of the lines with the same text as the first candidate's.
        is_best: whether the candidate is the best so far.
    """

    candidate: Candidate
    pages_per_second: float
    ratio: float
    slowest_ratio: float
    median_latency_s: float
    agreement: float
    is_best: bool


@dataclass(frozen=True)
class Effort:
    """The number of clients and rounds, and the smallest agreement that is accepted."""

    clients: int = 4
    rounds: int = 3
    least_agreement: float = 0.9


def questions(cores: int) -> list[Callable[[ServingSettings], list[Candidate]]]:
    """Return the questions in order; each returns the challengers of the best candidate so far."""
    return [
        _engines,
        lambda best: _recognition_layouts(best, cores),
        lambda best: _detection_layouts(best, cores),
        lambda best: _files_at_a_time(best, cores),
    ]


def tune(start: Start, files: Sequence[bytes], cores: int, effort: Effort) -> Generator[Finding, None, None]:
    """Measure the default settings and their challengers. The last finding with `is_best` is the result.

    Args:
        start: starts a server with the given settings.
        files: pages to read.
        cores: number of CPU cores of this machine.
        effort: number of clients and rounds.
    """
    best = Candidate("default settings", ServingSettings())
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
                        servers.close()  # stop the previous best
                        servers.enter_context(server.pop_all())
                yield finding


def conclusion(findings: Sequence[Finding]) -> str:
    """Return the result of the paired comparisons as a sentence."""
    winners = [finding for finding in findings if finding.is_best]
    if len(winners) == 1:
        return "No clear difference: no settings are clearly faster than the default settings."
    previous, best = winners[-2:]
    if best.slowest_ratio <= 1:
        return (
            f"No clear difference: {best.candidate.name} was {best.ratio:.2f} times as fast as "
            f"{previous.candidate.name}, but not faster in every round."
        )
    return (
        f"{best.candidate.name}: {best.ratio:.2f} times the pages per second of {previous.candidate.name}, "
        f"measured in turn (at least {best.slowest_ratio:.2f} times in every round)."
    )


def agreement(texts: Sequence[Sequence[str]], reference: Sequence[Sequence[str]]) -> float:
    """Return the share of the reference's lines that also exist in the texts of the same file."""
    pairs = [
        (line, set(lines)) for lines, expected in zip(texts, reference, strict=True) for line in expected
    ]
    return sum(line in lines for line, lines in pairs) / len(pairs) if pairs else 1.0


def server_of(config: PipelineConfig, options: Mapping[str, Any]) -> Start:
    """Return a function that starts a server for a pipeline.

    Args:
        config: the pipeline.
        options: options of `predict()` for all pages.
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
            raise ServerError(f"a page cannot be read: {result}")
        lines.extend(result["rec_texts"])
    return lines


@contextmanager
def _running(start: Start, candidate: Candidate, files: Sequence[bytes], effort: Effort) -> Iterator[Subject]:
    subject = start(candidate.serving)
    try:
        _round(subject, files, effort)  # warm up: engines prepare each new shape
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
    ratios = [mine / other for mine, other in zip(subject.speeds, best.speeds, strict=True)]
    ratio = statistics.median(ratios)
    alike = agreement(subject.texts, reference)
    return Finding(
        candidate=candidate,
        pages_per_second=statistics.median(subject.speeds),
        ratio=ratio,
        slowest_ratio=min(ratios),
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
    """Return layouts from few instances with many threads to many instances with few threads."""
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
