"""Jobs of a gateway that is killed, on a real server and with each kind of store."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image, ImageDraw, ImageFont
from postgresql import postgresql
from running_gateway import free_port

from tritonocr_backend.server.embedded import EmbeddedServer

JOBS = "/api/v2/ocr/jobs"
PAGES, KILL_AFTER = 12, 6
EXPECTED = [{str(number)} for number in range(101, 101 + PAGES)]


def document() -> bytes:
    """Return a PDF whose pages read NUMBER 101, NUMBER 102, and so on."""
    font = ImageFont.load_default(size=80)
    pages = [Image.new("RGB", (1240, 1754), "white") for _ in range(PAGES)]
    for number, page in enumerate(pages, 101):
        for line in range(12):
            ImageDraw.Draw(page).text((100, 100 + 130 * line), f"NUMBER {number}", "black", font)
    output = io.BytesIO()
    pages[0].save(output, "PDF", save_all=True, append_images=pages[1:], resolution=150)
    return output.getvalue()


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Return the settings of a job store."""
    if request.param == "sqlite":
        yield {"TRITONOCR_REST_JOBS_DIRECTORY": str(tmp_path / "jobs")}
        return
    with postgresql() as server:
        yield {"TRITONOCR_REST_JOBS_DATABASE": server.url}


class Gateway:
    """A gateway in a process of its own."""

    def __init__(self, process: subprocess.Popen[bytes], url: str) -> None:
        self._process, self.client = process, httpx.Client(base_url=url, timeout=30)

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def status(self, job_id: str) -> Any:
        return self.client.get(f"{JOBS}/{job_id}").json()["data"]

    def read_pages(self) -> int:
        found = re.search(
            r"^tritonocr_gateway_pages_total (\d+)", self.client.get("/metrics").text, re.MULTILINE
        )
        assert found
        return int(found[1])


@contextmanager
def gateway(server: EmbeddedServer, store: dict[str, str]) -> Iterator[Gateway]:
    port = free_port()
    command = [sys.executable, "-m", "tritonocr", "gateway", "--url", server.grpc_url, "--port", str(port)]
    process = subprocess.Popen(command, env={**os.environ, **store})
    running = Gateway(process, f"http://127.0.0.1:{port}")
    try:
        wait_until(lambda: is_up(running.client), 60)
        yield running
    finally:
        running.client.close()
        process.terminate()
        process.wait(60)


def is_up(client: httpx.Client) -> bool:
    try:
        return client.get("/health/ready").status_code == 200
    except httpx.TransportError:
        return False


def wait_until(condition: Any, hang_guard_s: float) -> None:
    deadline = time.monotonic() + hang_guard_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def submitted(running: Gateway) -> str:
    """Submit the document, and return the id of the job when `KILL_AFTER` pages have been read."""
    answer = running.client.post(JOBS, data={"model": "PP-OCRv6"}, files={"file": document()})
    job_id: str = answer.json()["data"]["jobId"]
    wait_until(
        lambda: running.status(job_id).get("extractProgress", {}).get("extractedPages", 0) >= KILL_AFTER, 120
    )
    return job_id


def numbers_of_pages(running: Gateway, job_id: str) -> list[set[str]]:
    """Wait for the end of a job, and return the numbers on each page."""
    wait_until(lambda: running.status(job_id)["state"] in ("done", "failed"), 240)
    data = running.status(job_id)
    assert data["state"] == "done", data
    lines = running.client.get(data["resultUrl"]["jsonUrl"]).text.splitlines()
    return [set(re.findall(r"NUMBER *(\d+)", line)) for line in lines]


@pytest.mark.timeout(400)
def test_a_killed_gateway_goes_on_with_the_next_page(server: EmbeddedServer, store: dict[str, str]) -> None:
    with gateway(server, store) as first:
        job_id = submitted(first)
        first.kill()
    with gateway(server, store) as second:
        progress = second.status(job_id)["extractProgress"]
        assert KILL_AFTER <= progress["extractedPages"] < progress["totalPages"] == PAGES
        assert numbers_of_pages(second, job_id) == EXPECTED, "each page once, in order"
        assert second.read_pages() == PAGES - progress["extractedPages"], "no page is read twice"


@pytest.mark.timeout(400)
def test_a_killed_server_goes_on_with_the_next_page(server: EmbeddedServer, tmp_path: Path) -> None:
    with gateway(server, {"TRITONOCR_REST_JOBS_DIRECTORY": str(tmp_path / "jobs")}) as running:
        job_id = submitted(running)
        os.kill(server.pid, signal.SIGKILL)
        assert running.status(job_id)["state"] != "done"
        assert numbers_of_pages(running, job_id) == EXPECTED, "each page once, in order"
    assert pages_of(server) < PAGES, "the server that was started again does not read all pages"


@pytest.mark.timeout(400)
def test_a_gateway_and_a_server_that_are_killed_go_on(server: EmbeddedServer, tmp_path: Path) -> None:
    store = {"TRITONOCR_REST_JOBS_DIRECTORY": str(tmp_path / "jobs")}
    with gateway(server, store) as first:
        job_id = submitted(first)
        os.kill(server.pid, signal.SIGKILL)
        first.kill()
    with gateway(server, store) as second:
        assert numbers_of_pages(second, job_id) == EXPECTED, "each page once, in order"
    assert pages_of(server) < PAGES, "the server that was started again does not read all pages"


def pages_of(server: EmbeddedServer) -> int:
    """Return the pages that a server has read since its start, with those of readiness checks."""
    text = httpx.get(server.metrics_url).text
    return sum(
        int(float(value)) for value in re.findall(r"^tritonocr_pages_total\S* (\S+)", text, re.MULTILINE)
    )
