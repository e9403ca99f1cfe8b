"""Draining: stop a server without losing the requests in flight.

A stopping tritonserver rejects calls from one model to another, so that a page in the middle of the pipeline
fails. Therefore `ocr` is drained first. All its instances open one file: content in the file means that new
requests are rejected, and a shared lock on it means that an instance is working.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tritonocr_backend.core.errors import StoppingError
from tritonocr_common import environment

VARIABLE = environment.DRAIN_FILE
"""Environment variable with the path of the file; without it the models do not drain."""

_POLL_S = 0.05


class DrainGate:
    """An instance's side of draining: whether it may accept requests, and that it is working."""

    def __init__(self) -> None:
        path = os.environ.get(VARIABLE)
        self._file = os.open(path, os.O_RDONLY) if path else None

    @contextmanager
    def working(self) -> Iterator[None]:
        """Keep the server from stopping. `check` rejects requests that arrive after draining has started."""
        if self._file is None:
            yield
            return
        with suppress(BlockingIOError):  # the server is draining
            fcntl.flock(self._file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        try:
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def check(self) -> None:
        """Check that the server accepts requests; call this within `working`.

        Raises:
            StoppingError: the server is stopping.
        """
        if self._file is not None and os.fstat(self._file).st_size:
            raise StoppingError("the server is stopping; send the request to another server, or retry later")

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)


def drain(path: Path, timeout_s: float) -> bool:
    """Reject new requests and wait for those in flight; return whether they finished in time."""
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
