"""Ending a server: what is in is finished, nothing new comes in."""

import threading
import time
from pathlib import Path

import pytest

from tritonocr_backend.core.errors import OverloadedError
from tritonocr_backend.triton.drain_gate import VARIABLE, Door, drain


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "drain"
    path.touch()
    monkeypatch.setenv(VARIABLE, str(path))
    return path


def test_an_idle_server_is_drained_at_once(file: Path) -> None:
    door = Door()
    with door.at_work():
        door.check()
    assert drain(file, timeout_s=0)
    door.close()


def test_work_is_waited_for_and_new_work_refused(file: Path) -> None:
    busy, other = Door(), Door()
    drained: list[bool] = []
    with busy.at_work():
        thread = threading.Thread(target=lambda: drained.append(drain(file, timeout_s=20)))
        thread.start()
        while not file.stat().st_size:
            time.sleep(0.001)
        with other.at_work(), pytest.raises(OverloadedError, match="the server is stopping"):
            other.check()
        assert drained == []
    thread.join()
    assert drained == [True]
    with busy.at_work(), pytest.raises(OverloadedError):
        busy.check()


def test_patience_ends(file: Path) -> None:
    with Door().at_work():
        assert not drain(file, timeout_s=0.1)


def test_without_an_owner_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    door = Door()
    with door.at_work():
        door.check()
    door.close()
