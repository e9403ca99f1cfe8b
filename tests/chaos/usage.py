"""The resources of each process of `tritonocr serve --gateway`, by the name of the process.

`python tests/chaos/usage.py output/soak_mixed.csv` reports the growth during a soak, also while it runs.
"""

from __future__ import annotations

import contextlib
import csv
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import psutil
from faults import regions

FIELDS = ("anonymous", "rss", "pss", "descriptors", "threads", "shared_memory")
WINDOW = 3


@dataclass(frozen=True)
class Usage:
    """The resources of one process.

    Attributes:
        anonymous: bytes that only this process uses, without mapped files.
        rss: bytes in memory, shared ones included.
        pss: the same, with shared bytes divided among their users.
        descriptors: open files.
        threads: number of threads.
        shared_memory: bytes in /dev/shm; all of the server's are tritonserver's.
    """

    anonymous: int = 0
    rss: int = 0
    pss: int = 0
    descriptors: int = 0
    threads: int = 0
    shared_memory: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(*(a + b for a, b in zip(asdict(self).values(), asdict(other).values(), strict=True)))


def usages() -> dict[str, Usage]:
    """Return the resources of this process and all processes below it, by name.

    This process has the clients. PDF renderers and other processes of one name count together.
    """
    found: dict[str, Usage] = {}
    for process in [psutil.Process(), *psutil.Process().children(recursive=True)]:
        with contextlib.suppress(psutil.Error, OSError):
            name = _name(process)
            found[name] = found.get(name, Usage()) + _usage(process, name)
    return found


def total(found: dict[str, Usage]) -> Usage:
    """Return the sum over all processes."""
    return sum(found.values(), Usage())


def _name(process: psutil.Process) -> str:
    if process.pid == os.getpid():
        return "clients"
    arguments = process.cmdline()
    if "python_backend_stub" in arguments[0]:
        return arguments[8]
    command = " ".join(arguments)
    known = ("pdf_worker", "parent_watch", "tritonserver", "tritonocr gateway", "tritonocr serve")
    return next((name for name in known if name in command[:300]), process.name())


def _usage(process: psutil.Process, name: str) -> Usage:
    rollup = dict(
        re.findall(r"^(\w+):\s+(\d+) kB", Path(f"/proc/{process.pid}/smaps_rollup").read_text(), re.M)
    )
    anonymous, rss, pss = (int(rollup.get(key, 0)) * 1024 for key in ("Anonymous", "Rss", "Pss"))
    shared = (
        sum(path.stat().st_blocks * 512 for path in regions(process.pid)) if name == "tritonserver" else 0
    )
    return Usage(anonymous, rss, pss, process.num_fds(), process.num_threads(), shared)


class Log:
    """A CSV file with one row per process and sample; it is complete after each sample."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(",".join(["minutes", "phase", "process", *FIELDS]) + "\n")

    def write(self, minutes: float, phase: str, found: dict[str, Usage]) -> None:
        """Write one sample."""
        with self._path.open("a", newline="") as file:
            for name, usage in {**found, "total": total(found)}.items():
                csv.writer(file).writerow([f"{minutes:.2f}", phase, name, *asdict(usage).values()])


def read_idle(path: Path) -> list[dict[str, Usage]]:
    """Return the last sample of each idle phase in the file of a `Log`."""
    found: dict[str, dict[str, Usage]] = {}
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            if row["phase"].endswith(" idle") and row["process"] != "total":
                usage = Usage(*(int(row[name]) for name in FIELDS))
                found.setdefault(row["phase"], {})[row["process"]] = usage
    return list(found.values())


def report(idle: Sequence[dict[str, Usage]]) -> tuple[dict[str, float], str]:
    """Return the growth over the second half, as a part of the mean by field, and a sentence that names it.

    The memory of a process depends on its last page. Therefore each value is the minimum of three phases.
    """
    lowest = [_lowest(idle[end - WINDOW : end]) for end in range(WINDOW, len(idle) + 1)]
    half = lowest[len(lowest) // 2 :]
    gains = {name: growth([getattr(total(found), name) for found in half]) for name in FIELDS}
    grown = ", ".join(f"{name} {gain:+.2%}" for name, gain in gains.items())
    return gains, f"growth over the second half: {grown}; most: {growers(half)}"


def _lowest(samples: Sequence[dict[str, Usage]]) -> dict[str, Usage]:
    names = set.intersection(*(set(found) for found in samples))
    rows = {name: [asdict(found[name]).values() for found in samples] for name in names}
    return {name: Usage(*map(min, *values)) for name, values in rows.items()}


def growth(values: Sequence[float]) -> float:
    """Return the gain of a straight line through the values, first to last, as a part of their mean."""
    if len(values) < 2 or not np.mean(values):
        return 0.0
    slope, _ = np.polyfit(np.arange(len(values)), values, 1)
    return float(slope * (len(values) - 1) / np.mean(values))


def growers(samples: Sequence[dict[str, Usage]]) -> str:
    """Return which processes' own memory grew most, in MB from the first to the last sample."""
    names = samples[0].keys() & samples[-1].keys()
    gains = {name: (samples[-1][name].anonymous - samples[0][name].anonymous) / 1e6 for name in names}
    most = sorted(gains, key=lambda name: -gains[name])[:4]
    return ", ".join(f"{name} {gains[name]:+.1f} MB" for name in most)


if __name__ == "__main__":
    samples = read_idle(Path(sys.argv[1]))
    for number, found in enumerate(samples, start=1):
        print(f"idle phase {number}: {total(found)}")
    print(report(samples)[1])
