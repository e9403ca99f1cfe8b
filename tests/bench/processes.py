"""Start a process in its own process group, stop the whole group, and measure it (Linux)."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

_STUB = re.compile(r"/([^/]+)/\d+/model\.py$")


def start_group(command: Sequence[str], **settings: Any) -> subprocess.Popen[Any]:
    """Start a process in a new process group: Ctrl-C reaches the benchmark alone, which ends the group."""
    return subprocess.Popen(command, start_new_session=True, **settings)


def end_group(process: subprocess.Popen[Any], grace_s: float = 0) -> None:
    """End a process of `start_group` and the processes that it started.

    Args:
        process: the first process of the group; it may have ended already.
        grace_s: seconds that the process has to end by itself before the group is killed.
    """
    if grace_s:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(grace_s)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


class ProcessTree:
    """A process and its descendants.

    Args:
        pid: the root.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def cpu_s(self) -> float:
        """Processor time that its living members have used."""
        return sum(_cpu_s(process) for process in self._members())

    def cpu_s_by_model(self) -> dict[str, float]:
        """Processor time by Triton model, from the stub processes' command lines; "" is all else."""
        times: dict[str, float] = {}
        for process in self._members():
            with suppress(psutil.NoSuchProcess):
                model = _model_of(process.cmdline())
                times[model] = times.get(model, 0) + _cpu_s(process)
        return times

    def reset_peak(self) -> None:
        """Reset `peak_mb` to the memory that is resident now."""
        for process in self._members():
            with suppress(OSError):
                Path(f"/proc/{process.pid}/clear_refs").write_text("5", encoding="ascii")

    def peak_mb(self) -> float:
        """Sum of the members' largest resident memory; memory that they share counts for each."""
        return sum(_peak_kb(process.pid) for process in self._members()) / 1024

    def _members(self) -> Iterator[psutil.Process]:
        with suppress(psutil.NoSuchProcess):
            root = psutil.Process(self.pid)
            yield root
            yield from root.children(recursive=True)


def _cpu_s(process: psutil.Process) -> float:
    with suppress(psutil.NoSuchProcess):
        times = process.cpu_times()
        return float(times.user + times.system)
    return 0


def _model_of(command: list[str]) -> str:
    found = (_STUB.search(argument) for argument in command[1:2])
    return next((match.group(1) for match in found if match), "")


def _peak_kb(pid: int) -> int:
    with suppress(OSError):
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
        if found := re.search(r"VmHWM:\s+(\d+) kB", status):
            return int(found.group(1))
    return 0
