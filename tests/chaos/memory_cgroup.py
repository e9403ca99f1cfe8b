"""Kill a process as the kernel does when the memory limit of its container is reached."""

from __future__ import annotations

import contextlib
import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from faults import until

ROOT = Path("/sys/fs/cgroup")
LIMIT_BYTES = 0
"""A process keeps the memory that it has: only the pages count that it uses first in the cgroup."""
KILLED_WITHIN_S = 120.0


def oom_kill(*pids: int) -> None:
    """Move processes to a memory cgroup with a small limit, and wait until the kernel has killed one.

    The test is skipped if memory cgroups cannot be created here.
    """
    with _cgroup() as (group, counts):
        for pid in pids:
            (group / "cgroup.procs").write_text(str(pid))
        until(lambda: _kills(counts), KILLED_WITHIN_S, "the kernel kills a process")


@contextlib.contextmanager
def _cgroup() -> Iterator[tuple[Path, Path]]:
    """Create a memory cgroup of version 1 or 2; yield its folder and the file that counts the kills."""
    is_v2 = (ROOT / "cgroup.controllers").exists()
    group = (ROOT if is_v2 else ROOT / "memory") / f"tritonocr-test-{uuid.uuid4().hex[:8]}"
    try:
        if is_v2:
            (ROOT / "cgroup.subtree_control").write_text("+memory")
        group.mkdir()
        (group / ("memory.max" if is_v2 else "memory.limit_in_bytes")).write_text(str(LIMIT_BYTES))
    except OSError as error:
        pytest.skip(f"needs the right to create memory cgroups: {error}")
    try:
        yield group, group / ("memory.events" if is_v2 else "memory.oom_control")
    finally:
        for pid in (group / "cgroup.procs").read_text().split():
            with contextlib.suppress(OSError):
                (group.parent / "cgroup.procs").write_text(pid)
        until(lambda: _is_removed(group), KILLED_WITHIN_S, "the cgroup is empty")


def _kills(counts: Path) -> int:
    found = re.search(r"^oom_kill (\d+)", counts.read_text(), re.MULTILINE)
    return int(found[1]) if found else 0


def _is_removed(group: Path) -> bool:
    with contextlib.suppress(OSError):
        group.rmdir()
    return not group.exists()
