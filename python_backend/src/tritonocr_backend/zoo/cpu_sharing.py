"""How a CPU's cores are shared out among processes and their threads, unless someone says otherwise.

Lines are read by single-threaded networks side by side, up to MAX_SIDE_BY_SIDE of them: on two cores two
networks of one thread read half as many pages again as two of two threads. What runs once a page has
threads instead, which one client waits less for. docs/performance.md has the measurements.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from tritonocr_backend.contracts import Role

MAX_SIDE_BY_SIDE = 8
THREADS_A_PAGE = 4
FILES_A_CORE = 2
MIN_FILES, MAX_FILES = 4, 16

_BY_LINE = (Role.TEXT_RECOGNITION, Role.TEXTLINE_ORIENTATION)
_CGROUP_LIMIT = Path("/sys/fs/cgroup/cpu.max")


@dataclass(frozen=True)
class Share:
    """How many instances of a network run side by side, and how many threads each has."""

    instances: int
    threads: int


def available_cores() -> int:
    """Cores that this process may use: its affinity, and its container's limit (cgroup v2), rounded up."""
    cores = len(os.sched_getaffinity(0))
    with suppress(OSError, ValueError):  # no container, or one without a limit: "max"
        quota, period = map(int, _CGROUP_LIMIT.read_text().split())
        cores = min(cores, ceil(quota / period))
    return max(1, cores)


def share(role: Role, cores: int) -> Share:
    """A network's share of so many cores."""
    if role in _BY_LINE:
        instances = min(cores, MAX_SIDE_BY_SIDE)
    else:
        instances = max(1, cores // THREADS_A_PAGE) if role is Role.TEXT_DETECTION else 1
    return Share(instances, max(1, cores // instances))


def files_at_a_time(cores: int) -> int:
    """Instances of `ocr`: each reads one file, and mostly waits for networks."""
    return min(max(FILES_A_CORE * cores, MIN_FILES), MAX_FILES)
