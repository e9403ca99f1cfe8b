"""Processes are killed while clients send requests."""

from __future__ import annotations

import http.client
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
import pytest
import tritonclient.grpc
from bombs import pdf_of_pages
from faults import TIMEOUT_S, Load, demo_file, lines, reads_again, regions, stubs, until
from hostile import gateway_of

from tritonocr import OCRClient, demo_page
from tritonocr_backend.core.contracts import PIPELINE_MODELS
from tritonocr_backend.core.settings import DEFAULT_NETWORKS
from tritonocr_backend.server import shared_memory
from tritonocr_backend.server.embedded import EmbeddedServer

RECOVERY_LIMIT_S = 15.0
PATIENCE_S = 90.0
"""Longer than the limit, so that the failure states the time of a slow recovery."""


@contextmanager
def streaming(url: str) -> Iterator[list[str]]:
    """Send requests to `ocr_stream` in a loop, and return the errors."""
    done, errors = threading.Event(), []

    def stream() -> None:
        while not done.is_set():
            error = _streamed(url)
            errors.extend([error] if error else [])
            done.wait(0.5)

    thread = threading.Thread(target=stream, daemon=True)
    thread.start()
    yield errors
    done.set()
    thread.join(2 * TIMEOUT_S)
    assert not thread.is_alive(), "a stream never ended"


def _streamed(url: str) -> str | None:
    """Read a page with `ocr_stream`, and return the error if there is one."""
    answers: queue.Queue[tuple[object, object]] = queue.Queue()
    file = tritonclient.grpc.InferInput("file", [1], "BYTES")
    file.set_data_from_numpy(np.array([demo_file()], dtype=object))
    with tritonclient.grpc.InferenceServerClient(url) as client:
        client.start_stream(lambda result, error: answers.put((result, error)), stream_timeout=TIMEOUT_S)
        try:
            client.async_stream_infer("ocr_stream", [file])
            _, error = answers.get(timeout=2 * TIMEOUT_S)
        except tritonclient.utils.InferenceServerException as closed:
            error = closed
        finally:
            client.stop_stream(cancel_requests=True)
    return str(error) if error else None


@pytest.mark.parametrize("model", [*PIPELINE_MODELS, *DEFAULT_NETWORKS.values(), "tritonserver"])
def test_the_server_recovers_by_itself(
    server: EmbeddedServer, model: str, happened: Callable[[str], None]
) -> None:
    page = demo_file()
    with OCRClient(server.grpc_url) as client:
        expected = [text for text, _ in lines(client.ocr(page))]
    before = server.pid
    victim = next((pid for name, pid in stubs(before).items() if name.startswith(f"{model}_0_")), before)
    with Load(server.grpc_url, [page]).running() as load, streaming(server.grpc_url) as stream_errors:
        until(lambda: len(load.outcomes) >= 4, TIMEOUT_S, "clients are served")
        answered = len(load.outcomes)
        os.kill(victim, signal.SIGKILL)
        killed_s = time.monotonic()
        until(lambda: _pid(server) not in (before, None), PATIENCE_S, "the server is started again")
        started = len(load.outcomes)
        until(
            lambda: any(o.error is None for o in load.outcomes[started:]),
            PATIENCE_S,
            "a page is read",
        )
        recovered_s = next(o.ended_s for o in load.outcomes[started:] if o.error is None) - killed_s
        whole = len(load.outcomes) + load.clients  # later than these nothing of the old server is in flight
        until(lambda: len(load.outcomes) >= whole + 4, TIMEOUT_S, "clients go on")
    happened(
        f"pages are read again after {recovered_s:.1f} s; until then {dict(load.errors())}, "
        f"{len(stream_errors)} errors on the stream; no request took over {load.slowest_s():.1f} s"
    )
    assert load.errors().keys() <= {"ServerError", "ServerUnavailableError", "OverloadedError"}
    assert [o for o in load.outcomes[:answered] + load.outcomes[whole:] if o.error] == []
    assert all([text for text, _ in o.read or ()] == expected for o in load.reads()), "no wrong answer"
    assert load.slowest_s() < TIMEOUT_S
    assert recovered_s < RECOVERY_LIMIT_S


@pytest.mark.parametrize(("restart_wait_s", "status"), [(0, 503), (60, 200)])
def test_a_request_in_flight_at_the_gateway(
    server: EmbeddedServer, tmp_path: Path, restart_wait_s: int, status: int, happened: Callable[[str], None]
) -> None:
    """A process dies: the gateway reads the file again on the restarted server, or says when to try again."""
    # Two files: the server does not read a file again during which processes died twice.
    file = pdf_of_pages(60 if restart_wait_s else 50)
    options = "/ocr?maxPages=60&visualize=false"
    before = server.pid
    wait = ("--restart-wait-s", str(restart_wait_s), "--max-pages", "60")
    with gateway_of(server, tmp_path, *wait) as service:
        connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=120)
        connection.request("POST", options, file, {"Content-Type": "application/pdf"})
        time.sleep(1)
        victim = next(pid for name, pid in stubs(before).items() if "_det_0_" in name)
        os.kill(victim, signal.SIGKILL)
        response = connection.getresponse()
        body = response.read()
        connection.close()
    happened(f"{response.status}, Retry-After {response.headers['Retry-After']}")
    assert response.status == status, body[:300]
    assert (response.headers["Retry-After"] is not None) == (status == 503)
    until(lambda: _pid(server) not in (before, None), PATIENCE_S, "the server is started again")
    until(lambda: reads_again(server, demo_file()), PATIENCE_S, "a page is read")


def _pid(server: EmbeddedServer) -> int | None:
    try:
        return server.pid
    except Exception:  # between two processes
        return None


OWNER = """
import sys, tempfile, time
from pathlib import Path
from tritonocr_backend.server.embedded import EmbeddedServer, ServerOptions
options = ServerOptions(log_level="error", exit_timeout_s=5)
server = EmbeddedServer(Path(sys.argv[1]), options, Path(tempfile.mkdtemp()))
server.start()
print(server.pid, flush=True)
time.sleep(600)
"""


@contextmanager
def owned_elsewhere(
    repository: Path, temporary: Path
) -> Iterator[tuple[subprocess.Popen[str], psutil.Process]]:
    """A server whose owner is another process, with its temporary files; both, and both gone afterwards."""
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(repository)],
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert owner.stdout is not None
    leader = psutil.Process(int(owner.stdout.readline()))
    try:
        yield owner, leader
    finally:
        owner.kill()
        owner.communicate()
        psutil.wait_procs([leader], timeout=60)


def test_a_killed_owner_takes_the_server_and_its_files_along(
    server: EmbeddedServer, tmp_path: Path, happened: Callable[[str], None]
) -> None:
    with owned_elsewhere(server.repository, tmp_path) as (owner, leader):
        left = regions(leader.pid)
        assert left
        owner.kill()
        took_s = until(lambda: not leader.is_running(), 60, "the server ends")
        until(lambda: not any(path.exists() for path in left), 10, "shared memory is given back")
        until(lambda: not any(tmp_path.iterdir()), 10, "its temporary folders are removed")
    assert reads_again(server, demo_page()), "the other server on the machine goes on"
    happened(f"no process and no file of it {took_s:.1f} s later; a second server went on")


def test_what_a_killed_machine_leaves_is_cleared_at_the_next_start(
    server: EmbeddedServer, tmp_path: Path, happened: Callable[[str], None]
) -> None:
    """Every process at once, the watchdog too: as when a container is killed and its /dev/shm stays."""
    with owned_elsewhere(server.repository, tmp_path) as (owner, leader):
        left = regions(leader.pid)
        family = [psutil.Process(owner.pid), *psutil.Process(owner.pid).children(recursive=True)]
        for process in family:
            process.kill()
        psutil.wait_procs(family, timeout=20)
        until(lambda: not any(one.is_running() for one in family[1:]), 20, "all are gone")
        assert [path.name for path in left if not path.exists()] == [], "files of the killed server remain"
        size = sum(path.stat().st_size for path in left)
        theirs = regions(server.pid)
        shared_memory.claim().release()  # the first thing that a server does
    assert [path.name for path in left if path.exists()] == []
    assert theirs == [path for path in theirs if path.exists()]
    assert reads_again(server, demo_page()), "the server that is alive keeps its own"
    happened(f"{len(left)} regions, {size >> 20} MiB, cleared; those of a living server stayed")
