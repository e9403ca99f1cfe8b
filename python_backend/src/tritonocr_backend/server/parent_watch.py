"""Ends a server or gateway whose owner was killed and so could not: a process that waits for that."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from tritonocr_backend.server.shared_memory import remove

GRACE_S = 40


def watch(
    session: int, shared_memory_name: str = "", directories: Iterable[Path] = ()
) -> subprocess.Popen[bytes]:
    """Start a process that ends a session of processes when this process is gone.

    Args:
        session: id of the session's leader.
        shared_memory_name: what the names of its files in shared memory start with; they are removed then.
        directories: temporary ones, which are removed then, too.

    Returns:
        The watchdog, to be killed once the session has been ended otherwise.
    """
    # However this process ends, the system closes its end of the pipe.
    return subprocess.Popen(
        [sys.executable, "-m", __name__, str(session), shared_memory_name, *map(str, directories)],
        stdin=subprocess.PIPE,
        start_new_session=True,
    )


def main() -> None:
    """Wait until standard input ends; then end the session, gently first."""
    session, shared_memory_name, *directories = int(sys.argv[1]), *sys.argv[2:]
    sys.stdin.buffer.read()
    with contextlib.suppress(ProcessLookupError):
        os.kill(session, signal.SIGTERM)
        for _ in range(GRACE_S):
            time.sleep(1)
            os.kill(session, 0)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(session, signal.SIGKILL)
    if shared_memory_name:
        remove(shared_memory_name)
    for directory in directories:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
