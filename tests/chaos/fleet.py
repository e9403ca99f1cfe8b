"""Eight clients of `tritonocr serve --gateway`: the gateway, the Python client and the command line."""

from __future__ import annotations

import base64
import contextlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tritonocr import OCRClient

GATEWAY_CLIENTS, PYTHON_CLIENTS, COMMANDS = 3, 3, 2
TIMEOUT_S = 300.0
HTTP_PAUSE_S = 0.2

AFTER_FAILURE_S = 1.0
"""Pause of a client after an error."""

Read = Callable[[Path], tuple[list[str], int]]
"""Reads a file; returns the lines and the number of retries."""


@dataclass(frozen=True)
class Request:
    """One request of a client.

    Attributes:
        client: number of the client.
        began_s: by the monotonic clock; likewise `ended_s`.
        retries: attempts after the first one that the client itself made.
        failure: the error; empty if the file was read.
        is_wrong: whether other lines were read than before the fault.
    """

    client: int
    began_s: float
    ended_s: float
    retries: int
    failure: str
    is_wrong: bool


@dataclass
class Fleet:
    """The clients, each in a thread.

    Attributes:
        grpc_url: address of the server.
        gateway_url: address of the gateway.
        files: the files that are read in turn.
        readers: what each client reads with; the default is used if it is empty.
        expected: the lines of each file.
        requests: finished requests.
    """

    grpc_url: str
    gateway_url: str
    files: list[Path]
    readers: Sequence[Callable[[Fleet], contextlib.AbstractContextManager[Read]]] = ()
    expected: dict[Path, list[str]] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.readers = self.readers or (
            *[over_gateway] * GATEWAY_CLIENTS,
            *[over_grpc] * PYTHON_CLIENTS,
            *[over_command] * COMMANDS,
        )

    def learn(self) -> None:
        """Read each file once."""
        with over_gateway(self) as read:
            for file in self.files:
                self.expected[file], _ = read(file)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Send requests while the block runs; then wait for those in flight."""
        self.requests.clear()
        done = threading.Event()
        threads = [
            threading.Thread(target=self._read_on, args=(number, make, done), daemon=True)
            for number, make in enumerate(self.readers)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            done.set()
            for thread in threads:
                thread.join(TIMEOUT_S)
            assert not any(thread.is_alive() for thread in threads), "a request never ended"

    def _read_on(
        self,
        number: int,
        make: Callable[[Fleet], contextlib.AbstractContextManager[Read]],
        done: threading.Event,
    ) -> None:
        turn = number
        with make(self) as read:
            while not done.is_set():
                file = self.files[turn % len(self.files)]
                turn += 1
                self.requests.append(self._request(number, read, file))
                if self.requests[-1].failure:
                    done.wait(AFTER_FAILURE_S)

    def _request(self, number: int, read: Read, file: Path) -> Request:
        began_s, lines, retries, failure = time.monotonic(), [""], 0, ""
        try:
            lines, retries = read(file)
        except Exception as error:
            failure = f"{type(error).__name__}: {error}"
        is_wrong = not failure and lines != self.expected[file]
        return Request(number, began_s, time.monotonic(), retries, failure, is_wrong)

    def each_has_read(self, count: int, since_s: float) -> bool:
        """Return whether each client has read `count` files that it began after a time."""
        read = [one.client for one in self.requests if one.began_s > since_s and not one.failure]
        return all(read.count(client) >= count for client in range(len(self.readers)))

    def summary(self) -> str:
        """Return the numbers of requests sent, failed, wrong and retried, and the longest wait."""
        failed = sum(bool(request.failure) for request in self.requests)
        wrong = sum(request.is_wrong for request in self.requests)
        retried = sum(request.retries > 0 for request in self.requests)
        longest_s = max(request.ended_s - request.began_s for request in self.requests)
        return f"| {len(self.requests)} | {failed} | {wrong} | {retried} | {longest_s:.1f} s |"


@contextlib.contextmanager
def over_gateway(fleet: Fleet) -> Iterator[Read]:
    """Read by `POST /ocr`; send a request again only if the connection breaks, as HTTP clients do."""
    with httpx.Client(base_url=fleet.gateway_url, timeout=TIMEOUT_S) as client:

        def read(file: Path) -> tuple[list[str], int]:
            body = {"file": base64.b64encode(file.read_bytes()).decode(), "visualize": False}
            body["fileType"] = 0 if file.suffix == ".pdf" else 1  # PaddleX's server requires it
            retries = 0
            while True:
                try:
                    answer = client.post("/ocr", json=body)
                    break
                except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
                    retries += 1
                    time.sleep(HTTP_PAUSE_S)
            assert answer.status_code == 200, answer.text
            pages = answer.json()["result"]["ocrResults"]
            return [line for page in pages for line in page["prunedResult"]["rec_texts"]], retries

        yield read


@contextlib.contextmanager
def over_grpc(fleet: Fleet) -> Iterator[Read]:
    """Read by `predict()` of the Python client."""
    with OCRClient(fleet.grpc_url, timeout_s=TIMEOUT_S) as client:

        def read(file: Path) -> tuple[list[str], int]:
            before = client._client.retries
            lines = [line for page in client.predict(file) for line in page["rec_texts"]]
            return lines, client._client.retries - before

        yield read


@contextlib.contextmanager
def over_command(fleet: Fleet) -> Iterator[Read]:
    """Read by `tritonocr predict`, a new process per file."""

    def read(file: Path) -> tuple[list[str], int]:
        command = [
            sys.executable,
            "-m",
            "tritonocr",
            "predict",
            "--url",
            fleet.grpc_url,
            "--format",
            "ndjson",
        ]
        done = subprocess.run(
            [*command, "--input", str(file)], capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
        assert done.returncode == 0, done.stderr
        pages = map(json.loads, done.stdout.splitlines())
        return [line for page in pages for line in page.get("res", page)["rec_texts"]], int(
            "sent again" in done.stderr
        )

    yield read
