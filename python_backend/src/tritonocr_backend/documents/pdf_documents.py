"""PDFs through processes of their own, each bounded in computing time and memory (see pdf_worker)."""

from __future__ import annotations

import fcntl
import json
import signal
import subprocess
import sys
import threading
import weakref
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from tritonocr_backend.core.arrays import Image
from tritonocr_backend.core.errors import InvalidInputError

_PIPE_BYTES = 1 << 20
_MOST_IDLE = 2
_BYTES_PER_PIXEL = 16  # of a page that is rendered: PDFium's bitmap, and what blends into it


@dataclass(frozen=True)
class RenderLimits:
    """What a page of a PDF may cost.

    Attributes:
        seconds: of computing.
        memory_bytes: beyond the file itself and the page's pixels.
    """

    seconds: float = 30
    memory_bytes: int = 1 << 30


class PdfError(Exception):
    """PDFium's sentence on a file or page that it cannot read."""


class _WorkerEndedError(Exception):
    """The kernel or PDFium ended the process."""


class _Worker:
    """A process; it ends with this object."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tritonocr_backend.documents.pdf_worker"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdin
        assert self._process.stdout
        self._stdin, self._stdout = self._process.stdin, self._process.stdout
        with suppress(OSError):  # what pipes may hold in all is limited for each user
            fcntl.fcntl(self._stdout, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        self.end = weakref.finalize(self, _end, self._process)

    def ask(self, op: str, payload: bytes = b"", **values: Any) -> tuple[dict[str, Any], bytes]:
        """Send a request and wait for its answer.

        Raises:
            PdfError: PDFium refuses the file.
            _WorkerEndedError: the process ended over it.
        """
        try:
            self._stdin.write(json.dumps({"op": op, "bytes": len(payload), **values}).encode() + b"\n")
            self._stdin.write(payload)
            self._stdin.flush()
            answer = json.loads(self._stdout.readline() or "null")
        except (BrokenPipeError, ValueError) as error:
            raise _WorkerEndedError from error
        if answer is None:
            raise _WorkerEndedError
        if "error" in answer:
            raise PdfError(answer["error"])
        return answer, self._stdout.read(answer["bytes"])

    def wait(self) -> int:
        """The status of a process that has ended, negative where a signal ended it."""
        return self._process.wait()


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        with suppress(OSError):
            pipe.close()  # type: ignore[union-attr]  # both are pipes


_idle: list[_Worker] = []
_idle_lock = threading.Lock()


def _take() -> _Worker:
    with _idle_lock:
        return _idle.pop() if _idle else _Worker()


def _give_back(worker: _Worker) -> None:
    with _idle_lock:
        if len(_idle) < _MOST_IDLE:
            _idle.append(worker)
            return
    worker.end()


class PdfDocument:
    """An open PDF; to be read by one thread at a time, and closed by any.

    Args:
        data: the file.
        limits: what a page may cost.

    Raises:
        PdfError: PDFium cannot read it.
        InvalidInputError: it costs more than allowed to open.
    """

    def __init__(self, data: bytes, limits: RenderLimits) -> None:
        self._limits, self._file_bytes = limits, len(data)
        self._asking = threading.Lock()
        self._worker: _Worker | None = _take()
        self.page_count: int = self._ask("the PDF", "open", data)[0]["pages"]

    def size(self, index: int) -> tuple[float, float]:
        """Open a page; its width and height in points, as it is shown.

        Raises:
            PdfError: PDFium cannot read it.
            InvalidInputError: it costs more than allowed.
        """
        answer, _ = self._ask(f"page {index} of the PDF", "size", index=index)
        return answer["width"], answer["height"]

    def render(self, index: int, scale: float, pixels: int) -> Image:
        """Render the page that was opened last, BGR [H, W, 3]; raises as `size` does."""
        more_bytes = pixels * _BYTES_PER_PIXEL
        answer, data = self._ask(f"page {index} of the PDF", "render", scale=scale, more_bytes=more_bytes)
        rows = np.frombuffer(data, np.uint8).reshape(answer["height"], answer["stride"])
        page = rows[:, : answer["width"] * answer["channels"]]
        return np.array(page.reshape(answer["height"], answer["width"], -1)[:, :, :3], order="C")

    def close(self) -> None:
        """Let go of the file; the process waits for the next one, or ends if it is still rendering."""
        worker, self._worker = self._worker, None
        if worker is None:
            return
        if not self._asking.acquire(blocking=False):
            worker.end()  # nobody waits for that page any more
            return
        with suppress(_WorkerEndedError):
            worker.ask("close", seconds=self._limits.seconds, memory_bytes=self._limits.memory_bytes)
            _give_back(worker)
        self._asking.release()

    def _ask(
        self, what: str, op: str, payload: bytes = b"", more_bytes: int = 0, **values: Any
    ) -> tuple[dict[str, Any], bytes]:
        worker = self._worker
        if worker is None:
            raise InvalidInputError(f"file: {what} is not read: an earlier page broke off", "too_large")
        memory_bytes = self._limits.memory_bytes + 2 * self._file_bytes + more_bytes
        asked = {"seconds": self._limits.seconds, "memory_bytes": memory_bytes, **values}
        try:
            with self._asking:
                return worker.ask(op, payload, **asked)
        except _WorkerEndedError:
            status, self._worker = worker.wait(), None
            raise InvalidInputError(f"file: {what} {self._reason(status)}", "too_large") from None
        except PdfError:
            if op == "open":  # nothing is open
                self._worker = None
                _give_back(worker)
            raise

    def _reason(self, status: int) -> str:
        if -status in (signal.SIGXCPU, signal.SIGKILL):
            return f"takes more than {self._limits.seconds:g} s of computing to render"
        return f"breaks the renderer, or needs more than {self._limits.memory_bytes >> 20} MB of memory"
