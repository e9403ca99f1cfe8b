"""A server that accepts connections and never answers: the deadline of a call holds, also after a fork."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from tritonocr import DeadlineExceededError, OCRClient, ServerUnavailableError

TIMEOUT_S = 1.0
GUARD_S = 20


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port on which connections are accepted and kept, and nothing is sent."""
    kept: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            while True:
                try:
                    kept.append(listener.accept()[0])
                except OSError:
                    return

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
    for connection in kept:
        connection.close()


@pytest.mark.parametrize("scheme", ["grpc", "http"])
@pytest.mark.parametrize("retry", [None, False])
def test_a_call_ends_at_its_deadline(silent_port: int, scheme: str, retry: bool | None) -> None:
    with OCRClient(f"{scheme}://127.0.0.1:{silent_port}", timeout_s=TIMEOUT_S) as client:
        started = time.monotonic()
        with pytest.raises((DeadlineExceededError, ServerUnavailableError)) as caught:
            client.ocr(b"\x89PNG", **({} if retry is None else {"retry": retry}))
        assert time.monotonic() - started < GUARD_S
    assert f"127.0.0.1:{silent_port}" in str(caught.value)


@pytest.mark.parametrize("scheme", ["grpc", "http"])
def test_health_is_known_although_the_server_is_silent(silent_port: int, scheme: str) -> None:
    with OCRClient(f"{scheme}://127.0.0.1:{silent_port}", timeout_s=TIMEOUT_S) as client:
        started = time.monotonic()
        assert not client.health().live
        assert time.monotonic() - started < GUARD_S


CHILD = """
import os, sys, time
from tritonocr import OCRClient, TritonOCRError
pid = os.fork()
if not pid:
    started = time.monotonic()
    try:
        OCRClient(sys.argv[1], timeout_s=1).ocr(b"a")
    except TritonOCRError as error:
        print(type(error).__name__, flush=True)
    os._exit(0)
os.waitpid(pid, 0)
"""


@pytest.mark.parametrize("scheme", ["grpc", "http"])
def test_the_deadline_holds_in_a_forked_child(silent_port: int, scheme: str) -> None:
    url = f"{scheme}://127.0.0.1:{silent_port}"
    done = subprocess.run(
        [sys.executable, "-c", CHILD, url], capture_output=True, text=True, timeout=3 * GUARD_S, check=True
    )
    assert done.stdout.strip() in ("DeadlineExceededError", "ServerUnavailableError")
