"""Files that kill processes are recognized, and innocent files that were read at the same time are not."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tritonocr_backend.core.errors import InvalidInputError, ProcessDiedError
from tritonocr_backend.triton import quarantine
from tritonocr_backend.triton.quarantine import ReadingJournal, accuse, content_digest
from tritonocr_common import environment


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(environment.WATCH_FOLDER, str(tmp_path))
    return tmp_path


def file(content: bytes) -> dict[str, Any]:
    return {"file": np.array([content], dtype=object)}


killed: list[Any] = []  # contexts that never end


def dies(*inputs: dict[str, Any]) -> None:
    """Read files in a process that is killed: their entries stay."""
    for one in inputs:
        context = ReadingJournal().reading(content_digest(one))
        context.__enter__()
        killed.append(context)


def is_read(content: bytes) -> bool:
    try:
        with ReadingJournal().reading(content_digest(file(content))):
            return True
    except InvalidInputError:
        return False


@pytest.fixture(autouse=True)
def locks_end_with_their_process(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """A killed process holds no lock; here all are one process."""
    taken: list[Any] = []
    flock = quarantine.fcntl.flock

    def locked(lock: Any, how: int) -> None:
        taken.append(lock)
        flock(lock, how)

    def release(*_: object) -> None:
        for lock in taken:
            lock.close()
        taken.clear()

    monkeypatch.setattr(quarantine.fcntl, "flock", locked)
    original = quarantine.accuse

    def accuse_after_release(*arguments: Any) -> list[str]:
        release()
        return original(*arguments)

    monkeypatch.setitem(globals(), "accuse", accuse_after_release)
    return release


def test_a_file_is_rejected_after_two_deaths_and_its_neighbours_are_not(folder: Path) -> None:
    dies(file(b"poison"), file(b"innocent"))
    assert accuse(folder, []) == []
    dies(file(b"poison"), file(b"another innocent"))
    assert len(accuse(folder, [])) == 1
    assert not is_read(b"poison")
    assert is_read(b"innocent")
    assert is_read(b"another innocent")


def test_a_suspect_that_is_read_is_cleared(folder: Path) -> None:
    for _ in range(3):
        dies(file(b"innocent"))
        assert accuse(folder, []) == []
        assert is_read(b"innocent")


def test_pixels_are_recognized_too(folder: Path) -> None:
    pixels = {"image": np.zeros((4, 4, 3), np.uint8)}
    for _ in range(2):
        dies(pixels)
        accuse(folder, [])
    sentence = r"died 2 times while they read this file \(SHA-256 \w{64}\); .* again for (599|600) s"
    with (
        pytest.raises(InvalidInputError, match=sentence) as caught,
        ReadingJournal().reading(content_digest(pixels)),
    ):
        pass
    assert caught.value.reason == "quarantined"


def test_only_the_file_whose_call_failed_is_suspected(folder: Path) -> None:
    for _ in range(2):
        dies(file(b"innocent"))
        with pytest.raises(ProcessDiedError), ReadingJournal().reading(content_digest(file(b"poison"))):
            raise ProcessDiedError("the process of text_crop died")
        accuse(folder, [])
    assert not is_read(b"poison")
    assert is_read(b"innocent")


def test_only_the_files_of_the_dead_process_are_suspected(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        for pid, content in ((7, b"poison"), (8, b"innocent")):
            monkeypatch.setattr(quarantine.os, "getpid", lambda pid=pid: pid)
            dies(file(content))
        accuse(folder, [7])
    assert not is_read(b"poison")
    assert is_read(b"innocent")


def test_suspects_are_read_one_at_a_time(folder: Path) -> None:
    dies(file(b"a"), file(b"b"))
    accuse(folder, [])
    began = threading.Event()

    def read() -> None:
        with ReadingJournal().reading(content_digest(file(b"b"))):
            began.set()

    thread = threading.Thread(target=read)
    with ReadingJournal().reading(content_digest(file(b"a"))):
        thread.start()
        with ReadingJournal().reading(content_digest(file(b"c"))):
            pass  # no suspect
        assert not began.wait(0.3)
    thread.join(20)
    assert began.is_set()


def test_replicas_share_the_table(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process of each replica dies: both replicas reject the file, also in processes that run already."""
    (folder / "shared").mkdir()
    replicas = [folder / "replica 1", folder / "replica 2"]
    for replica in replicas:
        replica.mkdir()
        (replica / quarantine.SHARED_FOLDER).symlink_to(folder / "shared")
    running = []
    for replica in replicas:
        monkeypatch.setenv(environment.WATCH_FOLDER, str(replica))
        running.append(ReadingJournal())
        dies(file(b"poison"), file(b"innocent"))
    assert accuse(replicas[0], []) == []
    with running[1].reading(content_digest(file(b"innocent"))):
        pass
    assert len(accuse(replicas[1], [])) == 1
    for journal in running:
        with journal.reading(content_digest(file(b"innocent"))):
            pass
        with (
            pytest.raises(InvalidInputError, match="died 2 times"),
            journal.reading(content_digest(file(b"poison"))),
        ):
            pass


def test_entries_are_bounded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quarantine, "MAX_ENTRIES", 3)
    for number in range(5):
        for _ in range(2):
            dies(file(b"poison %d" % number))
            accuse(folder, [])
    assert [is_read(b"poison %d" % number) for number in range(5)] == [True, True, False, False, False]


def test_entries_expire(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quarantine, "KEEP_S", -1.0)
    for _ in range(3):
        dies(file(b"old"))
        accuse(folder, [])
    assert is_read(b"old")


def test_nothing_is_recorded_without_a_supervisor(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(environment.WATCH_FOLDER)
    assert is_read(b"a")
    assert list(folder.iterdir()) == []
