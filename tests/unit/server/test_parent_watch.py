"""The watchdog: what it ends and removes where its owner is killed."""

import signal
import subprocess
import sys
import time
from pathlib import Path

OWNER = """
import sys, time
from pathlib import Path
from tritonocr_backend.server.parent_watch import watch
watch(int(sys.argv[1]), directories=map(Path, sys.argv[2:]))
print("watched", flush=True)
time.sleep(120)
"""


def test_a_killed_owners_session_is_ended_and_its_directories_removed(tmp_path: Path) -> None:
    directories = [tmp_path / "backends", tmp_path / "repository"]
    for directory in directories:
        directory.mkdir()
        (directory / "file").touch()
    other = tmp_path / "another's"
    other.mkdir()
    with (
        subprocess.Popen(["sleep", "120"], start_new_session=True) as session,
        subprocess.Popen(
            [sys.executable, "-c", OWNER, str(session.pid), *map(str, directories)], stdout=subprocess.PIPE
        ) as owner,
    ):
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"watched\n"
        assert session.poll() is None
        owner.kill()
        assert session.wait(100) == -signal.SIGTERM
    deadline_s = time.monotonic() + 60
    while any(directory.exists() for directory in directories) and time.monotonic() < deadline_s:
        time.sleep(0.1)
    assert list(tmp_path.iterdir()) == [other]
