"""How a CPU's cores are shared out among processes and their threads, unless someone says otherwise.

Every network gets all cores: they are seldom busy at once, and whoever waits alone waits less. A network of
lines has a stream for each core, in one process that all waiting lines meet in; see engines.batching.
docs/performance.md has the measurements.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from tritonocr_backend.core.contracts import CROP, LINE_ROLES, Role

MAX_STREAMS = 16
THREADS_A_PAGE = 4
FILES_A_CORE = 2
MIN_FILES, MAX_FILES = 4, 16
CORES_A_STAGE_PROCESS = 8
"""A stage's process takes up to 26 ms per page (docs/scaling.md), so it keeps up with 38 pages per second.
Eight cores without a GPU read fewer; serving.yaml can state more processes for a machine with GPUs."""
MIN_CROP_PROCESSES = 2

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


def share(role: Role, cores: int, instances: int | None = None) -> Share:
    """A network's share of so many cores; of so many instances, where someone has said."""
    most_threads = {Role.TEXT_DETECTION: THREADS_A_PAGE, **dict.fromkeys(LINE_ROLES, MAX_STREAMS)}
    instances = instances or max(1, cores // most_threads.get(role, cores))
    return Share(instances, max(1, cores // instances))


def stage_processes(stage: str, cores: int) -> int:
    """Return the number of processes of a stage that works on one page at a time.

    Args:
        stage: text_crop, text_detection_postprocess or text_recognition_decode.
        cores: CPU cores of the machine.
    """
    return max(MIN_CROP_PROCESSES if stage == CROP else 1, ceil(cores / CORES_A_STAGE_PROCESS))


def files_at_a_time(cores: int) -> int:
    """Instances of `ocr`: each reads one file, and mostly waits for networks."""
    return min(max(FILES_A_CORE * cores, MIN_FILES), MAX_FILES)
