"""Ask a running `tritonocr serve` to reload, through a Unix socket in its temporary folder.

The folder belongs to the user of the server and is closed to other users. The command receives the progress,
one JSON object per line, and knows at the end whether the reload succeeded.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import socket
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO

from tritonocr_backend.core.errors import ServerError, TritonOcrError

SCRATCH_PREFIX = "tritonocr-"
"""Prefix of the temporary folder of `tritonocr serve`."""
_REQUEST = "reload\n"
_REQUEST_TIMEOUT_S = 5.0
_BACKLOG = 8
_NAME = re.compile(r"serve-(\d+)\.sock")

_log = logging.getLogger(__name__)

Report = Callable[[str], None]
Reload = Callable[[Report], None]


class ReloadSocket:
    """The socket of a running `tritonocr serve`.

    Args:
        folder: temporary folder of the server.
    """

    def __init__(self, folder: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        with _short(folder / f"serve-{os.getpid()}.sock") as address:
            self._socket.bind(address)
        self._socket.listen(_BACKLOG)

    def __enter__(self) -> ReloadSocket:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def handle(self, reload: Reload, timeout_s: float) -> None:
        """Wait for a request for `timeout_s` seconds, and run it.

        Args:
            reload: called with a function that sends a line of progress. Its error is sent to the command and
                logged; the server continues.
            timeout_s: longest wait in seconds.
        """
        self._socket.settimeout(timeout_s)
        with contextlib.suppress(OSError):  # no request came in time, or the command has gone
            connection, _ = self._socket.accept()
            with connection, connection.makefile("rw", encoding="utf-8", errors="replace") as stream:
                connection.settimeout(_REQUEST_TIMEOUT_S)
                if stream.readline() == _REQUEST:
                    _run(reload, stream)


def _run(reload: Reload, stream: IO[str]) -> None:
    def report(line: str) -> None:
        _log.warning("reload: %s", line)
        _send(stream, {"progress": line})

    try:
        reload(report)
    except Exception as error:  # whatever is wrong with the new settings, the server serves with the old ones
        is_expected = isinstance(error, (TritonOcrError, OSError))
        _log.error("the reload failed: %s", error, exc_info=not is_expected)
        _send(stream, {"error": str(error) if is_expected else f"{type(error).__name__}: {error}"})
    else:
        _send(stream, {"done": True})


def _send(stream: IO[str], message: Mapping[str, object]) -> None:
    with contextlib.suppress(OSError):  # the command was ended; the reload continues
        stream.write(json.dumps(message) + "\n")
        stream.flush()


def request_reload(pid: int | None = None) -> Iterator[str]:
    """Ask a server to reload, and yield its lines of progress until it is done.

    Args:
        pid: process id of `tritonocr serve`; None for the only one.

    Raises:
        ServerError: no such server runs, several run and none is named, or the reload failed.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        with _short(_choose(_running(), pid)) as address:
            connection.connect(address)
        with connection.makefile("rw", encoding="utf-8") as stream:
            stream.write(_REQUEST)
            stream.flush()
            for line in stream:
                message = json.loads(line)
                if error := message.get("error"):
                    raise ServerError(f"the reload failed: {error}")
                if "done" in message:
                    return
                yield str(message["progress"])
    raise ServerError("the server stopped before the reload was finished")


def _choose(running: Mapping[int, Path], pid: int | None) -> Path:
    pids = ", ".join(map(str, sorted(running)))
    if pid is not None and pid not in running:
        raise ServerError(
            f"--pid is {pid}; expected a ready `tritonocr serve` of this user: {pids or 'none'}"
        )
    if not running:
        raise ServerError(f"no ready `tritonocr serve` of this user was found in {tempfile.gettempdir()}")
    if pid is None and len(running) > 1:
        raise ServerError(f"several `tritonocr serve` run; choose one with --pid: {pids}")
    return running[pid] if pid is not None else next(iter(running.values()))


def _running() -> dict[int, Path]:
    """Return the sockets of this user's servers, by process id."""
    paths = Path(tempfile.gettempdir()).glob(f"{SCRATCH_PREFIX}*/serve-*.sock")
    found = {int(name[1]): path for path in paths if (name := _NAME.fullmatch(path.name)) and _is_own(path)}
    return {pid: path for pid, path in found.items() if _listens(path)}


def _is_own(path: Path) -> bool:
    with contextlib.suppress(OSError):  # the server has ended since
        return path.parent.stat().st_uid == path.stat().st_uid == os.geteuid()
    return False


def _listens(path: Path) -> bool:
    with (
        contextlib.suppress(OSError),
        socket.socket(socket.AF_UNIX) as connection,
        _short(path) as address,
    ):
        connection.connect(address)  # without a request the server does nothing
        return True
    return False


@contextlib.contextmanager
def _short(path: Path) -> Iterator[str]:
    """Yield another path of a socket, because a socket's address has at most 107 bytes."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
