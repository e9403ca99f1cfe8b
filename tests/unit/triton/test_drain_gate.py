"""Stopping a server: requests in flight finish, new requests are rejected."""

import threading
import time
from pathlib import Path

import pytest

from tritonocr_backend.core.errors import StoppingError
from tritonocr_backend.triton.drain_gate import VARIABLE, DrainGate, drain


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "drain"
    path.touch()
    monkeypatch.setenv(VARIABLE, str(path))
    return path


def test_an_idle_server_is_drained_at_once(file: Path) -> None:
    gate = DrainGate()
    with gate.working():
        gate.check()
    assert drain(file, timeout_s=0)
    gate.close()


def test_work_is_waited_for_and_new_work_refused(file: Path) -> None:
    busy, other = DrainGate(), DrainGate()
    drained: list[bool] = []
    with busy.working():
        thread = threading.Thread(target=lambda: drained.append(drain(file, timeout_s=20)))
        thread.start()
        while not file.stat().st_size:
            time.sleep(0.001)
        with other.working(), pytest.raises(StoppingError, match="the server is stopping"):
            other.check()
        assert drained == []
    thread.join()
    assert drained == [True]
    with busy.working(), pytest.raises(StoppingError):
        busy.check()


def test_patience_ends(file: Path) -> None:
    with DrainGate().working():
        assert not drain(file, timeout_s=0.1)


def test_without_an_owner_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    gate = DrainGate()
    with gate.working():
        gate.check()
    gate.close()
