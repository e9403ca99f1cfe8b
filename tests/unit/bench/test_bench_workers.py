"""Workers of the benchmark, and the processes that they start, end with it."""

import sys
import time
from pathlib import Path

import psutil
import pytest

from bench.worker import Worker, WorkerError

PARENT = """
import json, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], stdout=2)
open(sys.argv[1].strip('"'), "w").write(str(child.pid))
{then}
"""
READY = 'print(json.dumps({"ready": True}), flush=True); time.sleep(600)'


def _worker(directory: Path, then: str) -> Worker:
    script = directory / "worker.py"
    script.write_text(PARENT.replace("{then}", then))
    configuration: dict[str, str] = str(directory / "pid")  # type: ignore[assignment]
    return Worker(Path(sys.executable), str(script), configuration, directory / "log")


def _is_gone(pid_file: Path) -> bool:
    deadline = time.monotonic() + 20
    pid = int(pid_file.read_text())
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.05)
    psutil.Process(pid).kill()
    return False


@pytest.mark.parametrize("error", [None, KeyboardInterrupt])
def test_the_processes_of_a_worker_end_with_it(tmp_path: Path, error: type[BaseException] | None) -> None:
    with pytest.raises(error or ZeroDivisionError), _worker(tmp_path, READY):
        raise error or ZeroDivisionError
    assert _is_gone(tmp_path / "pid")


def test_they_end_if_the_worker_cannot_start(tmp_path: Path) -> None:
    with pytest.raises(WorkerError), _worker(tmp_path, "raise SystemExit(1)"):
        pass
    assert _is_gone(tmp_path / "pid")
