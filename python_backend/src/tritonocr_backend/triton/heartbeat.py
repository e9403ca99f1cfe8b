"""Heartbeats: each process of a model records when its last batch began and ended.

The supervisor of `tritonocr serve` reads the records. A process that works on one batch for longer than its
limit hangs. Triton itself notices only processes that are stopped, because a thread of its own answers for a
process whose Python code never returns.
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tritonocr_common import environment

HANG_LIMIT_S = 180.0
"""Seconds after which a stage or a network on a CPU hangs; a batch takes seconds."""
ACCELERATOR_HANG_LIMIT_S = 1800.0
"""The same on other devices: TensorRT compiles an engine with the first batch of a shape."""
FILE_HANG_MARGIN_S = 60.0
"""Seconds beyond the limit `max_seconds` after which a process that reads a file hangs."""

_RECORD = struct.Struct("ddd")  # began and ended by the monotonic clock, limit in seconds
_FOLDER = "heartbeats"


class Heartbeat:
    """The record of one process.

    Args:
        limit_s: seconds that one batch may take.
    """

    def __init__(self, limit_s: float) -> None:
        self._limit_s, self._ended_s = limit_s, time.monotonic()
        folder = os.environ.get(environment.WATCH_FOLDER)
        self._file: int | None = None
        if folder:
            path = Path(folder, _FOLDER)
            path.mkdir(exist_ok=True)
            self._file = os.open(path / str(os.getpid()), os.O_WRONLY | os.O_CREAT, 0o600)
            self._write(self._ended_s)

    @contextmanager
    def working(self) -> Iterator[None]:
        """Record that the process works on a batch."""
        self.begin()
        try:
            yield
        finally:
            self._ended_s = time.monotonic()
            self._write(self._ended_s)

    def begin(self) -> None:
        """Record that the work begins now."""
        self._write(time.monotonic())

    def _write(self, began_s: float) -> None:
        if self._file is not None:
            os.pwrite(self._file, _RECORD.pack(began_s, self._ended_s, self._limit_s), 0)


@dataclass(frozen=True)
class Beat:
    """The record of a process, as the supervisor reads it.

    Attributes:
        pid: process id.
        began_s: begin of its last batch by the monotonic clock.
        ended_s: end of its last finished batch by the monotonic clock.
        limit_s: seconds that one batch may take.
    """

    pid: int
    began_s: float
    ended_s: float
    limit_s: float

    @property
    def is_working(self) -> bool:
        """Whether a batch is not finished."""
        return self.began_s > self.ended_s

    def hangs(self, now_s: float) -> bool:
        """Return whether the process works on one batch for longer than its limit."""
        return self.is_working and now_s - self.began_s > self.limit_s


def read_beats(watch_folder: Path) -> list[Beat]:
    """Return the records of all processes."""
    beats = []
    with suppress(FileNotFoundError):  # no process has started
        for path in (watch_folder / _FOLDER).iterdir():
            content = path.read_bytes()
            if len(content) == _RECORD.size:
                beats.append(Beat(int(path.name), *_RECORD.unpack(content)))
    return beats


def forget_beats(watch_folder: Path) -> None:
    """Remove the records of a server that has ended."""
    with suppress(FileNotFoundError):
        for path in (watch_folder / _FOLDER).iterdir():
            path.unlink()
