"""Estimate which part of the server's work a request is, to tell a slow file from a busy server."""

from __future__ import annotations

import os
import time
from pathlib import Path

from tritonocr_backend.core.contracts import READING_MODELS

_REFRESH_S = 10.0
_PROCESS_CPU_CLOCK = 2  # CPUCLOCK_SCHED of Linux, in the lowest bits of a process's CPU clock id


class WorkShare:
    """CPU times of the server's processes that read files: the instances of `ocr`, `ocr_stream` and adapters.

    Each file is read by one of these processes. The networks serve all of them, so that their CPU time
    belongs to no file in particular.
    """

    def __init__(self) -> None:
        self._processes: set[int] = set()
        self._refreshed_s = float("-inf")

    def cpu_seconds(self) -> dict[int, float]:
        """Return the CPU time in seconds that each process has used so far."""
        now_s = time.monotonic()
        if now_s - self._refreshed_s > _REFRESH_S:
            self._processes, self._refreshed_s = _reading_processes(), now_s
        return {pid: _cpu_seconds(pid) for pid in {*self._processes, os.getpid()}}

    def since(self, before: dict[int, float]) -> float:
        """Return this process's share, 0 to 1, of the CPU time that all of them have used since `before`."""
        used = {pid: after - before.get(pid, after) for pid, after in self.cpu_seconds().items()}
        total = sum(max(seconds, 0.0) for seconds in used.values())
        return used[os.getpid()] / total if total > 0 else 1.0


def _cpu_seconds(pid: int) -> float:
    try:
        return time.clock_gettime((~pid << 3) | _PROCESS_CPU_CLOCK)
    except OSError:  # the process has ended
        return 0.0


def _reading_processes() -> set[int]:
    """Return the sibling processes that run a reading model."""
    parent = os.getppid()
    return {int(path.name) for path in Path("/proc").glob("[0-9]*") if _reads_files(path, parent)}


def _reads_files(process: Path, parent: int) -> bool:
    try:
        # "PID (NAME) STATE PPID ...", and a name may contain anything but comes last in its bracket.
        if int((process / "stat").read_text().rpartition(")")[2].split()[1]) != parent:
            return False
        arguments = (process / "cmdline").read_text().split("\0")
    except (OSError, ValueError):  # the process has ended
        return False
    models = (Path(argument).parts[-3:] for argument in arguments if argument.endswith("/model.py"))
    return any(parts[0] in READING_MODELS for parts in models if len(parts) == 3)
