"""Read PDFs in worker processes with bounded CPU time and memory; `pdf_worker` is their program."""

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
from numpy.typing import NDArray

from tritonocr_backend.core.arrays import Image
from tritonocr_backend.core.errors import InvalidInputError
from tritonocr_common.memory import own_bytes

_PIPE_BYTES = 1 << 20
_MAX_IDLE_WORKERS = 2
_MAX_IDLE_BYTES = 128 << 20  # a worker has about 40 MB after a normal page
_MAX_RESTARTS = 3  # per document: a page that breaks the worker costs up to `RenderLimits.seconds`
_BYTES_PER_PIXEL = 16  # PDFium's bitmap of the page, and the bitmaps that it blends into this bitmap


@dataclass(frozen=True)
class RenderLimits:
    """Limits for each page of a PDF.

    Attributes:
        seconds: CPU time to render the page.
        memory_bytes: memory limit of the worker, not counting the file and the page image.
    """

    seconds: float = 30
    memory_bytes: int = 1 << 30


@dataclass(frozen=True)
class PageShape:
    """The shape of a PDF page as it is displayed.

    Attributes:
        width: width in units of page space; likewise `height`.
        unit: size of such a unit in points (UserUnit).
        picture_dpi: resolution of the pictures that cover the page; 0 if there are none.
    """

    width: float
    height: float
    unit: float
    picture_dpi: float


class PdfError(Exception):
    """PDFium cannot read the file or the page; the message is PDFium's."""


class PasswordRequiredError(PdfError):
    """The PDF needs a password to be opened."""


class _WorkerEndedError(Exception):
    """The worker process ended: it exceeded a limit, or PDFium crashed."""


class _WorkerKilledError(Exception):
    """Another process killed the worker, for example the OOM killer. A limit ends it by other signals."""


class _Worker:
    """A worker process. The process ends with this object."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tritonocr_backend.documents.pdf_worker"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdin
        assert self._process.stdout
        self._stdin, self._stdout = self._process.stdin, self._process.stdout
        with suppress(OSError):  # the kernel limits the total pipe capacity per user
            fcntl.fcntl(self._stdout, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        self.end = weakref.finalize(self, _end, self._process)

    def request(self, op: str, payload: bytes = b"", **values: Any) -> tuple[dict[str, Any], bytes]:
        """Send a request and wait for the answer.

        Raises:
            PdfError: PDFium cannot read the file or the page.
            _WorkerEndedError: the process ended before it answered.
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
            raise (PasswordRequiredError if answer["password_required"] else PdfError)(answer["error"])
        return answer, self._stdout.read(answer["bytes"])

    def is_alive(self) -> bool:
        """Return whether the process runs: it can be killed while it is idle."""
        return self._process.poll() is None

    def is_small(self) -> bool:
        """Return whether the process has little memory. PDFium keeps what the largest page needed."""
        return own_bytes(self._process.pid) < _MAX_IDLE_BYTES

    def wait(self) -> int:
        """Return the exit status of the ended process: negative if a signal ended it."""
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
        while _idle:
            worker = _idle.pop()
            if worker.is_alive():
                return worker
            worker.end()
    return _Worker()


def _give_back(worker: _Worker) -> None:
    with _idle_lock:
        if len(_idle) < _MAX_IDLE_WORKERS and worker.is_small():
            _idle.append(worker)
            return
    worker.end()


class PdfDocument:
    """An open PDF. One thread at a time may read it; any thread may close it.

    A page that breaks the worker fails alone: the next page is read by a new worker.

    Args:
        data: the file.
        limits: time and memory limits for each page.

    Raises:
        PdfError: PDFium cannot open the file.
        InvalidInputError: opening the file exceeds a limit.
    """

    def __init__(self, data: bytes, limits: RenderLimits) -> None:
        self._data, self._limits = data, limits
        self._busy = threading.Lock()
        self._is_closed = False
        self._restarts = 0
        self._worker: _Worker | None = None
        self._was_killed = False
        self._page_requests: list[tuple[str, dict[str, Any]]] = []  # that a new worker repeats
        self.page_count: int = self._open("the PDF")

    def page_shape(self, index: int, *, with_picture_dpi: bool = False) -> PageShape:
        """Open a page and return its shape.

        Args:
            index: the page.
            with_picture_dpi: look for pictures, too.

        Raises:
            PdfError: PDFium cannot read the page.
            InvalidInputError: the page exceeds a limit.
        """
        name = f"page {index} of the PDF"
        if self._worker is None:
            self._restart(name)
        answer, _ = self._request(name, "page", index=index, dpi=with_picture_dpi)
        return PageShape(answer["width"], answer["height"], answer["unit"], answer["picture_dpi"])

    def text(self, index: int) -> tuple[dict[str, Any], NDArray[np.float64]]:
        """Return the text layer of the page that was opened last, and its quads; see `pdf_text.read_text`.

        Raises:
            PdfError, InvalidInputError: as `page_shape`.
        """
        answer, quads = self._request(f"page {index} of the PDF", "text")
        return answer, np.frombuffer(quads, dtype=np.float64).reshape(-1, 4, 2)

    def render(self, index: int, scale: float, pixels: int) -> Image:
        """Render the page that was opened last.

        Args:
            index: the page's index, for error messages.
            scale: pixels per unit of page space.
            pixels: about how many pixels the image has, by which the memory limit is raised.

        Returns:
            uint8 [H, W, 3] BGR.

        Raises:
            PdfError, InvalidInputError: as `page_shape`.
        """
        memory_bytes = pixels * _BYTES_PER_PIXEL
        answer, data = self._request(f"page {index} of the PDF", "render", memory_bytes, scale=scale)
        rows = np.frombuffer(data, np.uint8).reshape(answer["height"], answer["stride"])
        page = rows[:, : answer["width"] * answer["channels"]]
        return np.array(page.reshape(answer["height"], answer["width"], -1)[:, :, :3], order="C")

    def close(self) -> None:
        """Close the file. The worker is reused, or ends if it is still rendering a page."""
        self._is_closed = True
        worker, self._worker = self._worker, None
        if worker is None:
            return
        if not self._busy.acquire(blocking=False):
            worker.end()  # the page is not needed any more
            return
        with suppress(_WorkerEndedError):
            worker.request("close", seconds=self._limits.seconds, memory_bytes=self._limits.memory_bytes)
            _give_back(worker)
        self._busy.release()

    def _open(self, name: str) -> int:
        worker = self._worker = _take()
        try:
            return int(self._request(name, "open", payload=self._data)[0]["pages"])
        except PdfError:
            self._worker = None
            _give_back(worker)
            raise

    def _restart(self, name: str) -> None:
        if self._is_closed or self._restarts == _MAX_RESTARTS:
            raise InvalidInputError(
                f"file: {name} was not read: {_MAX_RESTARTS + 1} earlier pages exceeded the render limits",
                "too_large",
            )
        self._restarts += 1
        self._open(name)

    def _request(
        self, name: str, op: str, extra_memory_bytes: int = 0, payload: bytes = b"", **values: Any
    ) -> tuple[dict[str, Any], bytes]:
        """Send a request. Repeat it with a new worker if the worker was killed, but once per document."""
        try:
            answer = self._attempt(name, op, extra_memory_bytes, payload, **values)
        except _WorkerKilledError:
            self._worker = _take()
            if op != "open":
                self._attempt(name, "open", payload=self._data)
                for earlier, given in self._page_requests:
                    self._attempt(name, earlier, **given)
            answer = self._attempt(name, op, extra_memory_bytes, payload, **values)
        if op == "page":
            self._page_requests.clear()
        if op in ("page", "text"):
            self._page_requests.append((op, values))
        return answer

    def _attempt(
        self, name: str, op: str, extra_memory_bytes: int = 0, payload: bytes = b"", **values: Any
    ) -> tuple[dict[str, Any], bytes]:
        worker = self._worker
        if worker is None:
            raise InvalidInputError(f"file: {name} was not read: the document is closed", "too_large")
        memory_bytes = self._limits.memory_bytes + 2 * len(self._data) + extra_memory_bytes
        limits = {"seconds": self._limits.seconds, "memory_bytes": memory_bytes}
        try:
            with self._busy:
                return worker.request(op, payload, **limits, **values)
        except _WorkerEndedError:
            status, self._worker = worker.wait(), None
            if status == -signal.SIGKILL and not self._was_killed and not self._is_closed:
                self._was_killed = True
                raise _WorkerKilledError from None
            raise InvalidInputError(f"file: {name} {self._reason(status)}", "too_large") from None

    def _reason(self, status: int) -> str:
        if status == -signal.SIGXCPU:
            return f"takes more than {self._limits.seconds:g} s of CPU time to render"
        if status == -signal.SIGKILL:
            return "was not read: its renderer was killed twice, for example because no memory is left"
        return f"crashes the renderer or needs more than {self._limits.memory_bytes >> 20} MB of memory"
