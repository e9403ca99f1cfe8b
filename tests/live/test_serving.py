"""A server under load: equal results, no growth, a clean shutdown."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import numpy as np
import pytest

from tritonocr import DeadlineExceededError, OCRClient, OCRResult, OverloadedError, demo_page
from tritonocr._demo import DEMO_LINES
from tritonocr_backend.core.settings import DEFAULT_NETWORKS
from tritonocr_backend.repository import pipeline_config
from tritonocr_backend.repository.prepare import prepare_repository
from tritonocr_backend.repository.serving_settings import ServingSettings
from tritonocr_backend.server.embedded import EmbeddedServer, ServerOptions

PLAIN: dict[str, Any] = {
    "use_doc_orientation_classify": False,
    "use_doc_unwarping": False,
    "use_textline_orientation": False,
}
IDLE_LIMIT_BYTES = 2_500_000_000


def started(directory: Path, *, exact: bool = False, **settings: Any) -> EmbeddedServer:
    """A server of these settings, not yet running."""
    repository = prepare_repository(
        directory / "repository",
        pipeline_config.default(),
        serving=ServingSettings(**settings),
        exact=exact,
    )
    return EmbeddedServer(repository, ServerOptions(log_level="info", log_file=directory / "server.log"))


@pytest.fixture(scope="module")
def images(corpus: Path) -> list[bytes]:
    """Real pages of few lines, so that many can be read in little time."""
    paths = [*sorted((corpus / "scenes").iterdir()), *sorted((corpus / "scripts").iterdir())]
    return [path.read_bytes() for path in paths]


def fields(result: OCRResult) -> tuple[list[Any], list[str]]:
    return [np.asarray(quad).tolist() for quad in result["dt_polys"]], result["rec_texts"]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("exact", [False, True])
def test_serial_equals_concurrent(tmp_path: Path, images: list[bytes], corpus: Path, exact: bool) -> None:
    """Compare 16 concurrent clients, which read each file twice, with one client."""
    files = [*images, *((corpus / "receipts" / f"{number}.jpg").read_bytes() for number in (312, 316, 317))]
    ready = Barrier(16, timeout=60)

    def read(share: range) -> list[tuple[int, OCRResult]]:
        with OCRClient(server.grpc_url) as client:
            client.health()
            ready.wait()
            return [(index, page) for index in share for page in client.ocr(files[index], **PLAIN)]

    with started(tmp_path, exact=exact) as server, ThreadPoolExecutor(ready.parties) as threads:
        with OCRClient(server.grpc_url) as client:
            one_by_one = [page for file in files for page in client.ocr(file, **PLAIN)]
        shares = [range(number // 2, len(files), ready.parties // 2) for number in range(ready.parties)]
        at_once = [read_page for pages in threads.map(read, shares) for read_page in pages]
    assert len(at_once) == 2 * len(one_by_one) == 2 * len(files)
    for index, loaded in at_once:
        assert fields(one_by_one[index]) == fields(loaded)
        assert np.allclose(one_by_one[index]["rec_scores"], loaded["rec_scores"], atol=1e-4)


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime", "paddle"])
def test_every_engine_reads_the_demo_page(tmp_path: Path, engine: str) -> None:
    with started(tmp_path, engine=engine) as server, OCRClient(server.grpc_url) as client:
        [page] = client.ocr(demo_page())
    assert sorted(page["rec_texts"]) == sorted(line.text for line in DEMO_LINES)
    metadata = [path.read_text() for path in tmp_path.glob("repository/PP-OCR*/1/network.json")]
    assert len(metadata) == 2
    assert all(f'"engine": "{engine}"' in text for text in metadata)


def test_a_full_queue_refuses_at_once(tmp_path: Path) -> None:
    server = started(tmp_path, instances={"ocr": 1})
    config = tmp_path / "repository" / "ocr" / "config.pbtxt"
    config.write_text(re.sub(r"max_queue_size: \d+", "max_queue_size: 2", config.read_text()))
    with server, OCRClient(server.grpc_url) as client, ThreadPoolExecutor(12) as threads:
        outcomes = list(threads.map(lambda _: asked(client), range(12)))
        assert len(client.ocr(demo_page())[0]["rec_texts"]) == len(DEMO_LINES)
    refusals_s = [seconds for was_read, seconds in outcomes if not was_read]
    answers_s = [seconds for was_read, seconds in outcomes if was_read]
    assert refusals_s
    assert answers_s
    assert max(refusals_s) < min(answers_s), "a refusal takes less time than reading a page"


def test_a_client_that_goes_away_frees_its_instance(tmp_path: Path, corpus: Path) -> None:
    pdf = (corpus / "edge" / "pdf_500_pages.pdf").read_bytes()
    with started(tmp_path, instances={"ocr": 1}) as server, OCRClient(server.grpc_url) as client:
        started_s = time.monotonic()
        client.ocr(pdf, max_pages=40, **PLAIN)
        forty_pages_s = time.monotonic() - started_s
        with pytest.raises(DeadlineExceededError):
            client.ocr(pdf, max_pages=400, timeout_s=forty_pages_s / 10, **PLAIN)
        started_s = time.monotonic()
        assert len(client.ocr(demo_page())[0]["rec_texts"]) == len(DEMO_LINES)
        assert time.monotonic() - started_s < forty_pages_s, "400 pages were given up"


def asked(client: OCRClient) -> tuple[bool, float]:
    """Return whether a page was read or rejected for a full queue, and the seconds."""
    started_s = time.monotonic()
    try:
        client.ocr(demo_page())
    except OverloadedError:
        return False, time.monotonic() - started_s
    return True, time.monotonic() - started_s


@pytest.mark.timeout(900)
@pytest.mark.timeout(900)  # 500 pages on two cores without bf16
def test_memory_is_small_and_does_not_grow(tmp_path: Path, images: list[bytes]) -> None:
    with started(tmp_path) as server, OCRClient(server.grpc_url) as client:
        assert memory_bytes(server) < IDLE_LIMIT_BYTES
        # Few different ones, so that every process has met each of them within the first hundred.
        different = images[::4]
        pages = (different[number % len(different)] for number in range(500))
        after_100 = 0
        for count, _ in enumerate(client.predict(pages, jobs=4, **PLAIN), start=1):
            if count == 100:
                after_100 = memory_bytes(server)
        assert memory_bytes(server) <= after_100 * 1.05


def memory_bytes(server: EmbeddedServer) -> int:
    """Memory of all of the server's processes, what they share counted once."""
    return sum(proportional_bytes(pid) for pid in family(server.pid))


def proportional_bytes(pid: int) -> int:
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def family(session: int) -> list[int]:
    """Processes of a session, which the server's leader started."""
    listed = subprocess.run(
        ["ps", "-o", "pid=", "-s", str(session)], capture_output=True, text=True, check=False
    )
    return [int(pid) for pid in listed.stdout.split()]


@pytest.fixture
def serve_command() -> Iterator["subprocess.Popen[str]"]:
    """`tritonocr serve` on free ports, ready."""
    ports = [f"--{name}-port=0" for name in ("http", "grpc", "metrics", "gateway")]
    process = subprocess.Popen(
        [sys.executable, "-m", "tritonocr", "serve", "--gateway", "--log-level=error", *ports],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    yield process
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_says_when_and_where_and_ends_with_every_child(
    serve_command: "subprocess.Popen[str]", number: int
) -> None:
    assert serve_command.stdout is not None
    line = next(line for line in serve_command.stdout if "is ready" in line)
    found = re.search(
        r"gRPC ([\d.]+:\d+), HTTP [\d.]+:\d+, metrics http://[\d.]+:\d+/metrics, gateway (http://\S+:\d+)\.",
        line,
    )
    assert found
    with OCRClient(found[1]) as client:
        assert client.health().ready
    with urllib.request.urlopen(f"{found[2]}/health/ready", timeout=10) as answer:
        assert answer.status == 200
    [leader] = subprocess.run(
        ["pgrep", "-P", str(serve_command.pid), "tritonserver"], capture_output=True, text=True, check=True
    ).stdout.split()
    assert len(family(int(leader))) > len(DEFAULT_NETWORKS)
    serve_command.send_signal(number)
    assert serve_command.wait(timeout=60) == 0
    assert family(int(leader)) == []


def test_serve_ends_at_once_where_the_gateways_port_is_taken() -> None:
    """The port belongs to another process, which would respond to every request."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = subprocess.run(
            [sys.executable, "-m", "tritonocr", "serve", "--gateway", f"--gateway-port={port}"],
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert ended.returncode == 1
    assert f"gateway_port: port {port} of 127.0.0.1 cannot be used: Address already in use" in ended.stderr


def listens(port: int) -> bool:
    with socket.socket() as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0


def test_a_killed_owner_leaves_no_server_behind(serve_command: "subprocess.Popen[str]") -> None:
    assert serve_command.stdout is not None
    line = next(line for line in serve_command.stdout if "is ready" in line)
    gateway_port = int(line.rpartition("gateway http://127.0.0.1:")[2].partition(".")[0])
    [leader] = subprocess.run(
        ["pgrep", "-P", str(serve_command.pid), "tritonserver"], capture_output=True, text=True, check=True
    ).stdout.split()
    serve_command.kill()
    serve_command.wait()
    deadline = time.monotonic() + 60
    while (family(int(leader)) or listens(gateway_port)) and time.monotonic() < deadline:
        time.sleep(0.5)
    assert family(int(leader)) == []
    assert not listens(gateway_port)
