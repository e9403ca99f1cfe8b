"""The worker's side of the protocol: JSON lines on standard input and output.

Workers run in environments of their own, so this needs nothing beyond the standard library and numpy.
A question is {"pages": [path, ...]}; the answer {"wall_s", "latencies_s", "lines", "details"}, where lines
are [[polygon, text], ...] by page.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

Lines = list[tuple[Any, str]]


@dataclass
class Answer:
    """A worker's report of one pass; see measured.Pass."""

    wall_s: float
    latencies_s: list[float]
    lines: list[Lines] = field(default_factory=list)
    details: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class File:
    """A page: its path, and its bytes; for a .npy file its pixels (uint8 [H, W, 3] BGR)."""

    path: str
    data: Any


def configuration() -> dict[str, Any]:
    """The worker's one argument."""
    return dict(json.loads(sys.argv[1]))


def load(path: str) -> File:
    """Read a page into memory, as a client does before it sends a request."""
    return File(path, np.load(path) if path.endswith(".npy") else Path(path).read_bytes())


def one_by_one(read: Callable[[File], Lines]) -> Callable[[Sequence[File]], Answer]:
    """A pass that reads the pages one after the other."""

    def read_all(files: Sequence[File]) -> Answer:
        timed = [_timed(read, file) for file in files]
        seconds = [s for _, s in timed]
        return Answer(sum(seconds), seconds, [lines for lines, _ in timed])

    return read_all


def _timed(read: Callable[[File], Lines], file: File) -> tuple[Lines, float]:
    started_s = time.perf_counter()
    lines = read(file)
    return lines, time.perf_counter() - started_s


def serve(start: Callable[[], Callable[[Sequence[File]], Answer]]) -> None:
    """Load the models, say so, and answer questions until standard input ends.

    Args:
        start: loads the models; gives the function that reads pages.
    """
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)  # the output of libraries would be mixed with the responses
        read_all = start()
        print(json.dumps({"ready": True}), file=answers, flush=True)
        for question in sys.stdin:
            files = [load(path) for path in json.loads(question)["pages"]]
            print(json.dumps(asdict(read_all(files)), default=float), file=answers, flush=True)
