"""PaddleX's own server under the same load: it is killed, and a loop starts it again."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from drawn_pdfs import born_digital
from faults import demo_file, until
from fleet import Fleet, over_gateway
from running_gateway import free_port

from bench import peers
from bench.subjects import SCRIPTS
from bench.workloads import Workload

CLIENTS, STARTED_WITHIN_S, PATIENCE_S, STEADY_S = 8, 240.0, 240.0, 2.0


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[tuple[psutil.Process, str]]:
    """PaddleX's server in a restart loop: the process of the loop, and the server's URL."""
    try:
        python = peers.interpreter("paddlex-3.7.2")
    except peers.PeersMissingError as error:
        pytest.skip(str(error))
    asked = peers.configuration(Workload("peer", ()), "paddle", tmp_path, engine="paddle_static", threads=2)
    asked["limit_side_len"], port = 960, free_port()
    command = [str(python), str(SCRIPTS / "paddlex_serving.py"), json.dumps(asked), str(port)]
    process = subprocess.Popen(
        ["sh", "-c", 'while true; do "$@"; sleep 1; done', "sh", *command], start_new_session=True
    )
    yield psutil.Process(process.pid), f"http://127.0.0.1:{port}"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _answers(url: str) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(f"{url}/health", timeout=5).status_code == 200
    return False


@pytest.mark.timeout(3 * PATIENCE_S)
def test_what_a_restart_loop_loses(
    loop: tuple[psutil.Process, str], tmp_path: Path, happened: Callable[[str], None]
) -> None:
    process, url = loop
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "demo.png").write_bytes(demo_file())
    (folder / "born-digital.pdf").write_bytes(born_digital(2, lines=8))
    until(lambda: _answers(url), STARTED_WITHIN_S, "the server answers")
    fleet = Fleet("", url, sorted(folder.iterdir()), [over_gateway] * CLIENTS)
    fleet.learn()
    with fleet.running():
        began_s = time.monotonic()
        until(lambda: fleet.each_has_read(1, began_s), PATIENCE_S, "every client is served")
        time.sleep(STEADY_S)
        [server] = process.children()
        server.kill()
        killed_s = time.monotonic()
        until(lambda: fleet.each_has_read(1, killed_s), PATIENCE_S, "every client is served again")
    happened(f"| PaddleX: SIGKILL of the server {fleet.summary()}")
    assert [request for request in fleet.requests if request.is_wrong] == []
    kinds = {request.failure.partition(":")[0] for request in fleet.requests if request.failure}
    assert kinds <= {"ConnectError"}, "its clients are refused while the loop starts it"
