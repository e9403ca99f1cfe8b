"""Ending a server without losing what it is reading.

Triton that is told to stop lets no model call another any more, so that a page in the middle of the pipeline
fails. So `ocr` is emptied first: a file that all its instances have open says by its content that nothing new
is taken on, and by a shared lock on it which of them are still at work.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tritonocr_backend.core.errors import OverloadedError

VARIABLE = "TRITONOCR_DRAIN_FILE"
"""Environment variable that tells the models where the file is; without it they do not look."""

_POLL_S = 0.05


class DrainGate:
    """An instance's view: whether it may take on work, and that it is at work."""

    def __init__(self) -> None:
        path = os.environ.get(VARIABLE)
        self._file = os.open(path, os.O_RDONLY) if path else None

    @contextmanager
    def working(self) -> Iterator[None]:
        """Keep the server from ending meanwhile; requests that came too late are for `check` to refuse."""
        if self._file is None:
            yield
            return
        with suppress(BlockingIOError):  # it is ending: nothing is taken on
            fcntl.flock(self._file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        try:
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def check(self) -> None:
        """To be called at work, before anything is begun.

        Raises:
            OverloadedError: the server is ending.
        """
        if self._file is not None and os.fstat(self._file).st_size:
            raise OverloadedError("the server is stopping; send the request to another one, or later")

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)


def drain(path: Path, timeout_s: float) -> bool:
    """Let nothing new in, and wait until all that is in has been done; whether that was in time."""
    deadline_s = time.monotonic() + timeout_s
    with path.open("wb") as file:
        file.write(b"draining\n")
        file.flush()
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline_s:
                    return False
                time.sleep(_POLL_S)
            else:
                return True
