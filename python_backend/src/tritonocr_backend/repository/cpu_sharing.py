"""Choose the default numbers of processes and threads for the cores of a CPU.

Each network gets all cores: the networks are rarely busy at the same time, and a single request finishes
sooner. A network for lines has one stream per core in one process, so that waiting lines form larger
batches; see engines.batching. docs/performance.md has the measurements.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from tritonocr_backend.core.contracts import CROP, LINE_ROLES, Role
from tritonocr_backend.core.errors import ServerError

MAX_STREAMS = 16
THREADS_A_PAGE = 4
FILES_A_CORE = 2
MIN_FILES, MAX_FILES = 4, 64
CORES_A_STAGE_PROCESS = 8
"""Cores per process of a stage. One process takes up to 26 ms per page (docs/scaling.md), which is 38 pages
per second. Eight cores without a GPU read fewer pages; serving.yaml can state more processes for a GPU."""
MIN_CROP_PROCESSES = 2

_CGROUP_LIMIT = Path("/sys/fs/cgroup/cpu.max")


@dataclass(frozen=True)
class Share:
    """The number of instances of a network, and the number of threads per instance."""

    instances: int
    threads: int


def available_cores() -> int:
    """Return the number of cores for this process, from its affinity and its cgroup v2 limit (rounded up)."""
    cores = len(os.sched_getaffinity(0))
    with suppress(OSError, ValueError):  # no container, or a container without a limit ("max")
        quota, period = map(int, _CGROUP_LIMIT.read_text().split())
        cores = min(cores, ceil(quota / period))
    return max(1, cores)


def cores_of_each(replicas: int) -> int:
    """Return the number of cores per replica, when several servers share this machine's cores.

    Raises:
        ServerError: there are fewer cores than replicas.
    """
    cores = available_cores()
    if cores < replicas:
        raise ServerError(
            f"--replicas is {replicas}, but this machine has {cores} usable CPU cores; "
            "expected at most one replica per core"
        )
    return cores // replicas


def share(role: Role, cores: int, instances: int | None = None) -> Share:
    """Return the instances and threads of a network.

    Args:
        role: role of the network.
        cores: CPU cores of the machine.
        instances: stated number of instances; None chooses the number by role and cores.
    """
    pages = (Role.TEXT_DETECTION, Role.DOC_UNWARPING)
    most_threads = {**dict.fromkeys(pages, THREADS_A_PAGE), **dict.fromkeys(LINE_ROLES, MAX_STREAMS)}
    instances = instances or max(1, cores // most_threads.get(role, cores))
    return Share(instances, max(1, cores // instances))


def stage_processes(stage: str, cores: int) -> int:
    """Return the number of processes of a stage that processes one page at a time.

    Args:
        stage: text_crop, text_detection_postprocess or text_recognition_decode.
        cores: CPU cores of the machine.
    """
    return max(MIN_CROP_PROCESSES if stage == CROP else 1, ceil(cores / CORES_A_STAGE_PROCESS))


def files_at_a_time(cores: int) -> int:
    """Return the number of instances of `ocr`; each reads one file and mostly waits for networks."""
    return min(max(FILES_A_CORE * cores, MIN_FILES), MAX_FILES)
