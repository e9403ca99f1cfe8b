"""Freed memory is returned to the system."""

import subprocess
import sys

CODE = """
from tritonocr_common.memory import MemoryTrimmer, own_bytes
trimmer = MemoryTrimmer()
before = own_bytes()
blocks = [bytes(50_000) for _ in range(8000)]  # below the size that glibc maps separately
last = bytes(50_000)
del blocks
held = own_bytes() - before
trimmer.trim()
print(held >> 20, (own_bytes() - before) >> 20, len(last))
"""


def test_memory_below_a_living_block_is_returned() -> None:
    environment = {"MALLOC_MMAP_THRESHOLD_": str(1 << 20), "MALLOC_TRIM_THRESHOLD_": str(1 << 40)}
    done = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, check=True, env=environment
    )
    held_mib, kept_mib, _ = map(int, done.stdout.split())
    assert held_mib > 300, "glibc keeps the memory by itself"
    assert kept_mib < 50
