"""Stop the server or gateway when its parent process is killed."""

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
    """Start a process that stops a session of processes when this process ends.

    Args:
        session: process id of the session leader.
        shared_memory_name: name prefix of the session's files in shared memory, which the process removes.
        directories: temporary directories. The process removes them.

    Returns:
        The watching process. The caller kills it after the session has ended normally.
    """
    # The operating system closes the pipe when this process ends for any reason.
    return subprocess.Popen(
        [sys.executable, "-m", __name__, str(session), shared_memory_name, *map(str, directories)],
        stdin=subprocess.PIPE,
        start_new_session=True,
    )


def main() -> None:
    """Wait until standard input ends, then stop the session.

    The session leader receives SIGTERM. After `GRACE_S` seconds, the session receives SIGKILL.
    """
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
