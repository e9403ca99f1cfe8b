"""Test what the watchdog stops and removes after its parent process is killed."""

import signal
import subprocess
import sys
import time
from pathlib import Path

PARENT = """
import sys, time
from pathlib import Path
from tritonocr_backend.server.parent_watch import watch
watch(int(sys.argv[1]), directories=map(Path, sys.argv[2:]))
print("watched", flush=True)
time.sleep(120)
"""


def test_session_ends_and_its_directories_are_removed_after_the_parent_is_killed(tmp_path: Path) -> None:
    directories = [tmp_path / "backends", tmp_path / "repository"]
    for directory in directories:
        directory.mkdir()
        (directory / "file").touch()
    unrelated = tmp_path / "unrelated"
    unrelated.mkdir()
    with (
        subprocess.Popen(["sleep", "120"], start_new_session=True) as session,
        subprocess.Popen(
            [sys.executable, "-c", PARENT, str(session.pid), *map(str, directories)], stdout=subprocess.PIPE
        ) as parent,
    ):
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"watched\n"
        assert session.poll() is None
        parent.kill()
        assert session.wait(100) == -signal.SIGTERM
    deadline = time.monotonic() + 60
    while any(directory.exists() for directory in directories) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert list(tmp_path.iterdir()) == [unrelated]
