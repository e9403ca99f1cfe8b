"""Return memory that a process has freed to the system.

glibc keeps freed memory below the last block that is in use. After a large request this can be gigabytes.
Python keeps objects in reference cycles, for example the body of a request in the traceback of its error,
until its garbage collector runs, which an idle process never does.
"""

from __future__ import annotations

import ctypes
import gc
import time
from contextlib import suppress
from pathlib import Path

CHANGE_BYTES = 128 << 20
"""Change of a process's own memory since the last return, from which freed memory is returned again."""

_COLLECT_EVERY_S = 5.0

_PAGE_BYTES = 4096


class MemoryTrimmer:
    """Returns freed memory after executions. Other systems than glibc's return memory by themselves."""

    def __init__(self) -> None:
        self._kept_bytes = own_bytes()
        self._collected_s = -_COLLECT_EVERY_S

    def trim(self) -> None:
        """Return freed memory if the process has changed by CHANGE_BYTES; else take a few microseconds.

        A process that has shrunk may have completed a large request, whose cycles are not collected yet.
        """
        if abs(own_bytes() - self._kept_bytes) < CHANGE_BYTES:
            return
        if time.monotonic() - self._collected_s >= _COLLECT_EVERY_S:
            gc.collect()
            self._collected_s = time.monotonic()
        malloc_trim()
        self._kept_bytes = own_bytes()


def malloc_trim() -> None:
    """Return the memory that glibc keeps."""
    with suppress(OSError, AttributeError):  # musl has no malloc_trim
        ctypes.CDLL(None).malloc_trim(0)


def own_bytes(pid: int | None = None) -> int:
    """Return the bytes of memory that only a process uses, by default this one; 0 without /proc."""
    try:
        _, resident, shared, *_ = Path(f"/proc/{pid or 'self'}/statm").read_text().split()
    except OSError:
        return 0
    return (int(resident) - int(shared)) * _PAGE_BYTES
