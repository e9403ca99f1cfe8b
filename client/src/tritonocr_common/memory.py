"""Return memory that a process has freed to the system.

glibc keeps freed memory below the last block that is in use. After a large request this can be gigabytes.
"""

from __future__ import annotations

import ctypes
from contextlib import suppress
from pathlib import Path

GROWTH_BYTES = 128 << 20
"""Growth of a process's own memory since the last return, from which freed memory is returned again."""

_STATM = Path("/proc/self/statm")
_PAGE_BYTES = 4096


class MemoryTrimmer:
    """Calls glibc's `malloc_trim` when the process has grown. Other systems return memory by themselves."""

    def __init__(self) -> None:
        self._kept_bytes = own_bytes()

    def trim(self) -> None:
        """Return freed memory if the process has grown by GROWTH_BYTES; else take a few microseconds."""
        if own_bytes() - self._kept_bytes < GROWTH_BYTES:
            return
        with suppress(OSError, AttributeError):  # musl has no malloc_trim
            ctypes.CDLL(None).malloc_trim(0)
        self._kept_bytes = own_bytes()


def own_bytes() -> int:
    """Return the bytes of memory that only this process uses; 0 on systems without /proc."""
    try:
        _, resident, shared, *_ = _STATM.read_text().split()
    except OSError:
        return 0
    return (int(resident) - int(shared)) * _PAGE_BYTES
