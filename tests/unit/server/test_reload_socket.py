"""`tritonocr reload` and the running server: progress, errors, and the choice of the server."""

from __future__ import annotations

import os
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tritonocr_backend.core.errors import ServerError
from tritonocr_backend.server import reload_socket
from tritonocr_backend.server.reload_socket import ReloadSocket, Report, request_reload


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The temporary folder of a server, with a path that is too long for a socket."""
    long = tmp_path / ("x" * 120)
    (long / "tritonocr-1").mkdir(parents=True)
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(long))
    return long / "tritonocr-1"


@contextmanager
def serving(folder: Path, reload: Callable[[Report], None]) -> Iterator[None]:
    """Handle requests in a thread, as `serve` does in its main thread."""
    done = threading.Event()

    def handle() -> None:
        while not done.is_set():
            requests.handle(reload, 0.05)

    with ReloadSocket(folder) as requests:
        thread = threading.Thread(target=handle)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join(10)


def test_the_progress_arrives(scratch: Path) -> None:
    with serving(scratch, lambda report: (report("one"), report("two"))[0]):
        assert list(request_reload()) == ["one", "two"]
        assert list(request_reload(os.getpid())) == ["one", "two"]


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (ServerError("no such model"), "the reload failed: no such model"),
        (ZeroDivisionError("x"), "the reload failed: ZeroDivisionError: x"),
    ],
)
def test_a_failure_arrives_and_the_server_continues(scratch: Path, error: Exception, sentence: str) -> None:
    def reload(report: Report) -> None:
        report("one")
        raise error

    with serving(scratch, reload):
        for _ in range(2):
            lines = request_reload()
            assert next(lines) == "one"
            with pytest.raises(ServerError, match=sentence):
                next(lines)


def test_a_command_that_is_gone_disturbs_nobody(scratch: Path) -> None:
    may_go_on, reloads = threading.Event(), []

    def reload(report: Report) -> None:
        reloads.append(may_go_on.wait(10))
        report("one")

    with serving(scratch, reload):
        with socket.socket(socket.AF_UNIX) as gone, reload_socket._short(next(scratch.iterdir())) as address:
            gone.connect(address)
            gone.sendall(b"reload\n")
        with socket.socket(socket.AF_UNIX) as other, reload_socket._short(next(scratch.iterdir())) as address:
            other.connect(address)
            other.sendall(b"\xff\xff\n")
        may_go_on.set()
        assert list(request_reload()) == ["one"]
    assert reloads == [True, True], "the words of another program start no reload"


def test_without_a_server_the_sentence_says_so(scratch: Path) -> None:
    with pytest.raises(ServerError, match="no ready `tritonocr serve` of this user was found in /"):
        next(request_reload())
    with ReloadSocket(scratch):
        pass
    with pytest.raises(ServerError, match="no ready `tritonocr serve`"):  # a socket that a killed server left
        next(request_reload())


def test_the_server_is_chosen_by_its_process_id(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = scratch.with_name("tritonocr-2")
    other.mkdir()
    with serving(scratch, lambda report: report("first")):
        monkeypatch.setattr(reload_socket.os, "getpid", lambda: 7)
        with serving(other, lambda report: report("second")):
            assert list(request_reload(7)) == ["second"]
            with pytest.raises(ServerError, match="several `tritonocr serve` run; choose one with --pid: 7,"):
                next(request_reload())
            with pytest.raises(ServerError, match="--pid is 8; expected a ready `tritonocr serve`"):
                next(request_reload(8))
