"""The server is stopped while it works, and clients disconnect during a request."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from default_pipeline import Serve
from faults import PLAIN, ask, demo_file, until
from running_gateway import free_port

from tritonocr import OCRClient, ServerUnavailableError, TritonOCRError, demo_page

EXIT_LIMIT_S = 60
PAGES = 12


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str, int]]:
    """`tritonocr serve --gateway`, ready: the process, its gRPC address and the gateway's port."""
    port = free_port()
    ports = [f"--{name}-port=0" for name in ("http", "grpc", "metrics")]
    process = subprocess.Popen(
        [sys.executable, "-m", "tritonocr", "serve", "--gateway", f"--gateway-port={port}", *ports],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    line = next(line for line in process.stdout if "is ready" in line)
    found = re.search(r"gRPC ([\d.]+:\d+)", line)
    assert found
    until(lambda: _status(f"http://127.0.0.1:{port}/health/ready") == 200, 60, "the gateway is ready")
    yield process, found[1], port
    process.kill()
    process.communicate()


def _status(url: str) -> int | None:
    try:
        return int(urllib.request.urlopen(url, timeout=5).status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return None


def test_sigterm_lets_requests_finish_and_refuses_new_ones(
    served: tuple[subprocess.Popen[str], str, int], corpus: Path, happened: Callable[[str], None]
) -> None:
    process, url, port = served
    pdf = (corpus / "edge" / "pdf_500_pages.pdf").read_bytes()
    family = psutil.Process(process.pid).children(recursive=True)
    with (
        OCRClient(url, timeout_s=60) as client,
        OCRClient(url, timeout_s=60) as late,
        ThreadPoolExecutor() as pool,
    ):
        in_flight = [client.submit(pdf, max_pages=PAGES, **PLAIN) for _ in range(3)]
        posted = pool.submit(_post, port, demo_file())
        time.sleep(0.3)
        assert not any(future.done() for future in in_flight), "the requests are under way"
        process.send_signal(signal.SIGTERM)
        told_s = time.monotonic()
        refused = until_refused(late)
        assert [len(future.result()) for future in in_flight] == [PAGES] * 3
        finished_s = time.monotonic() - told_s
        assert posted.result() == 200
    assert process.wait(EXIT_LIMIT_S) == 0
    exited_s = time.monotonic() - told_s
    assert not any(one.is_running() for one in family), "no process is left"
    assert _status(f"http://127.0.0.1:{port}/health/ready") is None
    happened(
        f"3 requests of {PAGES} pages and a POST /ocr under way were answered, the last {finished_s:.1f} s "
        f"after the signal; a new one got {refused}; exit code 0 after {exited_s:.1f} s"
    )


def until_refused(client: OCRClient) -> str:
    """Ask until the server refuses; nothing but an answer or UNAVAILABLE may come back."""
    while True:
        error = ask(client, demo_page(), **PLAIN).error
        if error is not None:
            assert isinstance(error, ServerUnavailableError), error
            return type(error).__name__


def _post(port: int, page: bytes) -> int:
    body = json.dumps({"file": base64.b64encode(page).decode()}).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/ocr", body, headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return int(answer.status)


ENDLESS = """
import sys
from pathlib import Path
from tritonocr import OCRClient
client = OCRClient(sys.argv[1])
future = client.submit(Path(sys.argv[2]).read_bytes(), max_pages=500, use_doc_unwarping=False)
print("asked", flush=True)
future.result()
"""


def test_a_killed_client_frees_its_instance(
    serve: Serve, corpus: Path, happened: Callable[[str], None]
) -> None:
    with serve(instances={"ocr": 1}) as server, OCRClient(server.grpc_url) as client:
        client.ocr(demo_page(), **PLAIN)
        gone = subprocess.Popen(
            [sys.executable, "-c", ENDLESS, server.grpc_url, str(corpus / "edge" / "pdf_500_pages.pdf")],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert gone.stdout is not None
        gone.stdout.readline()
        time.sleep(1)
        gone.kill()
        gone.communicate()
        outcome = ask(client, demo_page(), **PLAIN)
    assert outcome.error is None
    assert outcome.took_s < 5, "400 pages are given up"
    happened(f"the next request on the one instance was answered after {outcome.took_s:.1f} s")


def test_a_server_may_be_stopped_while_it_starts_again(serve: Serve) -> None:
    server = serve()
    server.start()
    with ThreadPoolExecutor(1) as pool, OCRClient(server.grpc_url) as client:
        os.kill(psutil.Process(server.pid).children()[0].pid, signal.SIGKILL)
        time.sleep(3)  # it is starting again
        pool.submit(server.stop).result(timeout=EXIT_LIMIT_S)
        with pytest.raises(TritonOCRError):
            client.ocr(demo_page())
