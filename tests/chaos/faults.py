"""Helpers for fault tests: the processes and files of a server, and clients that send requests in a loop."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import psutil

from tritonocr import OCRClient, TritonOCRError, demo_page
from tritonocr_backend.server import shared_memory
from tritonocr_backend.server.embedded import EmbeddedServer

PLAIN: dict[str, Any] = {
    "use_doc_orientation_classify": False,
    "use_doc_unwarping": False,
    "use_textline_orientation": False,
}
TIMEOUT_S = 20.0
BACK_OFF_S = 0.2
"""What a client waits after an error; without it a few of them would take a starting server's cores."""


def stubs(pid: int) -> dict[str, int]:
    """The process of each model instance by its name, such as `text_crop_0_1`."""
    found = {}
    for process in psutil.Process(pid).children():
        with contextlib.suppress(psutil.Error):
            found[process.cmdline()[8]] = process.pid
    return found


def demo_file() -> bytes:
    """The demo page as a PNG."""
    return cv2.imencode(".png", demo_page())[1].tobytes()


def lines(pages: Any) -> list[tuple[str, float]]:
    """What was read, for comparison; scores to 4 digits, since batches differ in the last ones."""
    texts = ((page["rec_texts"], page["rec_scores"]) for page in pages)
    return [(text, round(float(score), 4)) for pair in texts for text, score in zip(*pair, strict=True)]


@dataclass(frozen=True)
class Held:
    """The resources of a server.

    Attributes:
        memory: bytes that its processes have for themselves, files that they map left out: how those count
            depends on who else maps them.
        descriptors: open files.
        threads: of all processes.
        shared_memory: bytes under its name in /dev/shm.
    """

    memory: int
    descriptors: int
    threads: int
    shared_memory: int


def held(pid: int) -> Held:
    """Return the resources of the server with this process id."""
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    return Held(
        memory=sum(_anonymous_bytes(process.pid) for process in family),
        descriptors=sum(process.num_fds() for process in family),
        threads=sum(process.num_threads() for process in family),
        shared_memory=sum(path.stat().st_blocks * 512 for path in regions(pid)),
    )


def regions(pid: int) -> list[Path]:
    """A server's files in shared memory."""
    [argument] = (one for one in psutil.Process(pid).cmdline() if "shm-region-prefix-name=" in one)
    return list(shared_memory.DIRECTORY.glob(argument.partition("prefix-name=")[2] + "*"))


def _anonymous_bytes(pid: int) -> int:
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = re.search(r"^Anonymous:\s+(\d+) kB", rollup, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


@dataclass(frozen=True)
class Outcome:
    """One request: when it ended, how long it took, and the lines read or the error."""

    ended_s: float
    took_s: float
    read: list[tuple[str, float]] | None
    error: TritonOCRError | None = None


@dataclass
class Load:
    """Clients that read files in a loop, each in its own thread.

    Attributes:
        url: the server's gRPC address.
        files: what is read, in turn.
        clients: how many there are.
        options: of every request.
        pause_s: between two requests of a client.
    """

    url: str
    files: Sequence[bytes]
    clients: int = 4
    options: dict[str, Any] = field(default_factory=dict)
    pause_s: float = 0
    outcomes: list[Outcome] = field(default_factory=list)

    @contextlib.contextmanager
    def running(self) -> Iterator[Load]:
        """Ask as long as the block runs; afterwards every request has its outcome."""
        self._done = threading.Event()
        threads = [
            threading.Thread(target=self._ask, args=(number,), daemon=True) for number in range(self.clients)
        ]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._done.set()
            for thread in threads:
                thread.join(2 * TIMEOUT_S)
            assert not any(thread.is_alive() for thread in threads), "a request never came back"

    def _ask(self, number: int) -> None:
        with OCRClient(self.url, timeout_s=TIMEOUT_S) as client:
            while not self._done.is_set():
                outcome = ask(client, self.files[number % len(self.files)], **self.options)
                self.outcomes.append(outcome)
                number += 1
                self._done.wait(BACK_OFF_S if outcome.error else self.pause_s)

    def reads(self) -> list[Outcome]:
        """Requests that were answered."""
        return [outcome for outcome in self.outcomes if outcome.error is None]

    def errors(self) -> Counter[str]:
        """How often each kind of error came back."""
        return Counter(type(outcome.error).__name__ for outcome in self.outcomes if outcome.error)

    def slowest_s(self) -> float:
        """How long a client waited at most."""
        return max(outcome.took_s for outcome in self.outcomes)


def ask(client: OCRClient, file: bytes, **options: Any) -> Outcome:
    """One request."""
    started_s = time.monotonic()
    read, error = None, None
    try:
        read = lines(client.ocr(file, **options))
    except TritonOCRError as caught:
        error = caught.with_traceback(None)  # whose frames hold the file
        error.__cause__ = error.__context__ = None
    ended_s = time.monotonic()
    return Outcome(ended_s, ended_s - started_s, read, error)


def until(condition: Callable[[], object], timeout_s: float, what: str) -> float:
    """Wait for a condition; return the seconds that it took."""
    started_s = time.monotonic()
    while not condition():
        assert time.monotonic() - started_s < timeout_s, f"{what}: not within {timeout_s:g} s"
        time.sleep(0.05)
    return time.monotonic() - started_s


def reads_again(server: EmbeddedServer, file: bytes) -> bool:
    """Return whether the server reads a page."""
    with OCRClient(server.grpc_url, timeout_s=TIMEOUT_S) as client:
        return ask(client, file).error is None
