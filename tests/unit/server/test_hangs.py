"""Processes and servers that hang are recognized."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tritonocr_backend.core.errors import ProcessDiedError
from tritonocr_backend.server import supervision
from tritonocr_backend.server.page_probe import is_answered
from tritonocr_backend.server.supervision import ServerProcesses
from tritonocr_backend.triton import heartbeat
from tritonocr_backend.triton.heartbeat import Heartbeat, read_beats
from tritonocr_backend.triton.quarantine import ReadingJournal
from tritonocr_common import environment


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(environment.WATCH_FOLDER, str(tmp_path))
    return tmp_path


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process
        process.kill()


def test_a_process_that_works_too_long_is_killed_and_named(
    folder: Path, child: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    processes = ServerProcesses(psutil.Process().pid)
    monkeypatch.setattr(heartbeat.os, "getpid", lambda: child.pid)
    beat = Heartbeat(limit_s=0.2)
    with beat.working():
        assert processes.hanging_process(folder) is None
    time.sleep(0.3)
    assert processes.hanging_process(folder) is None, "the batch has ended"
    with beat.working():
        time.sleep(0.3)
        fault = processes.hanging_process(folder)
    assert fault is not None
    assert fault.pids == {child.pid}
    assert fault.reason == "hung"
    assert f"process {child.pid} hangs: one request takes more than" in fault.what


def test_a_stopped_process_is_named(folder: Path, child: subprocess.Popen[bytes]) -> None:
    processes = ServerProcesses(psutil.Process().pid)
    assert processes.hanging_process(folder) is None
    child.send_signal(signal.SIGSTOP)
    time.sleep(0.2)
    fault = processes.hanging_process(folder)
    assert fault is not None
    assert fault.what == f"process {child.pid} is stopped (SIGSTOP)"
    assert (fault.reason, fault.pids) == ("hung", {child.pid})


def test_a_process_that_triton_calls_unhealthy_is_noticed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervision, "SILENT_S", 0.05)
    processes = ServerProcesses(psutil.Process().pid)
    with pytest.raises(ProcessDiedError), ReadingJournal().reading("hash"):
        raise ProcessDiedError("text_crop")
    assert processes.hanging_process(folder) is None
    time.sleep(0.1)
    fault = processes.hanging_process(folder)
    assert fault is not None
    assert fault.what == "a process of a model does not answer tritonserver"


def test_a_heartbeat_tells_work_from_rest(folder: Path) -> None:
    beat = Heartbeat(limit_s=1)
    [before] = read_beats(folder)
    assert not before.is_working
    with beat.working():
        [during] = read_beats(folder)
    [after] = read_beats(folder)
    assert (during.is_working, after.is_working) == (True, False)
    assert before.ended_s < after.ended_s


def test_silence_is_no_answer_and_an_end_is_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host, port = silent.getsockname()[:2]
        assert not is_answered((host, port), "GET", "/", 0.2)
    assert is_answered((host, port), "GET", "/", 0.2), "the supervisor sees dead processes by itself"
