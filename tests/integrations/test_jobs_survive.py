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
PAGES = 12


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


@pytest.mark.timeout(400)
def test_a_killed_gateway_goes_on_with_the_next_page(server: EmbeddedServer, store: dict[str, str]) -> None:
    with gateway(server, store) as first:
        answer = first.client.post(JOBS, data={"model": "PP-OCRv6"}, files={"file": document()})
        job_id = answer.json()["data"]["jobId"]
        wait_until(lambda: first.status(job_id).get("extractProgress", {}).get("extractedPages", 0) >= 3, 120)
        first.kill()
    with gateway(server, store) as second:
        progress = second.status(job_id)["extractProgress"]
        assert 3 <= progress["extractedPages"] < progress["totalPages"] == PAGES
        wait_until(lambda: second.status(job_id)["state"] in ("done", "failed"), 240)
        data = second.status(job_id)
        assert data["state"] == "done", data
        assert second.read_pages() == PAGES - progress["extractedPages"], "no page is read twice"
        lines = second.client.get(data["resultUrl"]["jsonUrl"]).text.splitlines()
    numbers = [set(re.findall(r"NUMBER *(\d+)", line)) for line in lines]
    assert numbers == [{str(number)} for number in range(101, 101 + PAGES)], "each page once, in order"
