"""The floor: the time for the networks, decoding and cropping of a page, without any other work.

The networks are called back to back with exactly the tensors that the pipeline gives them, once with one
stream over all cores and once by a single-threaded process for each core; the faster of the two counts.
Decoding and cropping are then done by as many threads as there are cores.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, ClassVar

import cv2
from numpy.typing import NDArray

from in_process import InProcessCaller, Parser
from protocol import Answer, File, configuration, serve
from tritonocr_backend.core.arrays import Tensors
from tritonocr_backend.core.contracts import CROP, IMAGE, STAGE_OUTPUTS
from tritonocr_backend.core.repository_view import RepositoryView
from tritonocr_backend.pipeline.ocr_pipeline import OcrPipeline
from tritonocr_backend.pipeline.stages import run_stage

CORES = len(os.sched_getaffinity(0))


@dataclass(frozen=True)
class Work:
    """The calls of a page: the name and the input of each network, and the inputs of cropping."""

    networks: list[tuple[str, NDArray[Any]]]
    crops: list[Tensors]


class Recorder:
    """A ModelCaller that keeps what the others are given."""

    def __init__(self, caller: InProcessCaller) -> None:
        self._caller = caller
        self.work = Work([], [])

    async def __call__(self, model: str, inputs: Tensors, outputs: Sequence[str]) -> dict[str, NDArray[Any]]:
        """See pipeline.ModelCaller."""
        if model == CROP:
            self.work.crops.append(inputs)
        elif model not in STAGE_OUTPUTS:
            self.work.networks.append((model, inputs[IMAGE]))
        return await self._caller(model, inputs, outputs)


class Floor:
    """Measures the floor of pages of one repository."""

    def __init__(self, repository: Path, options: dict[str, Any]) -> None:
        self._parser = Parser(repository, options)
        self._view = RepositoryView(repository)
        self._pool = ThreadPoolExecutor(CORES)
        self._one_stream = InProcessCaller(repository, threads=CORES)
        self._processes = [_process(repository, options) for _ in range(CORES)]
        self._work: dict[str, Work] = {}

    def read(self, files: Sequence[File]) -> Answer:
        """One pass over the files; its wall time is the floor."""
        work = [self._work_of(file) for file in files]
        one_stream_s = _seconds(lambda: [_infer(self._one_stream, item) for item in work])
        process_a_core_s = _seconds(lambda: self._in_processes(files, work))
        decoding_s = _seconds(lambda: list(self._pool.map(self._decode, files)))
        cropping_s = _seconds(lambda: list(self._pool.map(self._crop, work)))
        details = {
            "one_stream_s": one_stream_s,
            "process_a_core_s": process_a_core_s,
            "decoding_s": decoding_s,
            "cropping_s": cropping_s,
        }
        return Answer(min(one_stream_s, process_a_core_s) + decoding_s + cropping_s, [], details=details)

    def _work_of(self, file: File) -> Work:
        if file.path not in self._work:
            self._work[file.path] = self._record(file)
        return self._work[file.path]

    def _record(self, file: File) -> Work:
        for process in self._processes:  # each of them: an engine prepares itself for each shape
            process.submit(_record_in_process, file).result()
        return _record(self._parser, self._one_stream, file)

    def _in_processes(self, files: Sequence[File], work: Sequence[Work]) -> None:
        numbers = [range(len(item.networks)) for item in work]
        # Each process takes the next call when it has done its last, so that all end at the same time.
        calls = iter([(file.path, n) for file, ns in zip(files, numbers, strict=True) for n in ns])

        def run(process: ProcessPoolExecutor) -> None:
            for path, number in calls:
                process.submit(_infer_in_process, path, number).result()

        list(self._pool.map(run, self._processes))

    def _decode(self, file: File) -> None:
        for _ in self._parser.pages(file):
            pass

    def _crop(self, work: Work) -> None:
        for inputs in work.crops:
            run_stage(CROP, inputs, self._view)


def _record(parser: Parser, caller: InProcessCaller, file: File) -> Work:
    """What the pipeline calls for the pages of a file."""
    recorder = Recorder(caller)
    for page, settings in parser.pages(file):
        asyncio.run(OcrPipeline(recorder).read(page, settings))
    return recorder.work


class _Process:
    """The state of a floor process: networks with one thread, and the calls of each file."""

    parser: Parser
    caller: InProcessCaller
    work: ClassVar[dict[str, Work]] = {}


def _process(repository: Path, options: dict[str, Any]) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, get_context("spawn"), _start_process, (repository, options))


def _start_process(repository: Path, options: dict[str, Any]) -> None:
    cv2.setNumThreads(1)
    _Process.parser, _Process.caller = Parser(repository, options), InProcessCaller(repository, threads=1)


def _record_in_process(file: File) -> None:
    _Process.work[file.path] = _record(_Process.parser, _Process.caller, file)


def _infer_in_process(path: str, number: int) -> None:
    """Make one of the calls that a file's pages want."""
    name, batch = _Process.work[path].networks[number]
    _Process.caller.engine(name).infer(batch)


def _infer(caller: InProcessCaller, work: Work) -> None:
    for name, batch in work.networks:
        caller.engine(name).infer(batch)


def _seconds(run: Callable[[], object]) -> float:
    started_s = time.perf_counter()
    run()
    return time.perf_counter() - started_s


def start() -> Callable[[Sequence[File]], Answer]:
    """The function that measures pages."""
    cv2.setNumThreads(1)  # the pool is what runs in parallel
    asked = configuration()
    return Floor(Path(asked["repository"]), asked["options"]).read


if __name__ == "__main__":
    serve(start)
