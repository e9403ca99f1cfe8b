"""`tritonocr serve --replicas 2 --gateway` under load: reload, a bad reload, and a killed replica."""

from __future__ import annotations

import base64
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import httpx
import psutil
import pytest

from tritonocr import OCRClient, TritonOCRError, demo_page

GATEWAY_CLIENTS, PYTHON_CLIENTS, TIMEOUT_S = 4, 2, 240.0
CLIENTS = GATEWAY_CLIENTS + PYTHON_CLIENTS
PIPELINE = """\
pipeline_name: OCR
use_doc_preprocessor: False
use_textline_orientation: False
SubModules:
  TextDetection:
    model_name: PP-OCRv4_mobile_det
  TextRecognition:
    model_name: {model}
    score_thresh: {score}
"""


@dataclass
class Served:
    """The running command, its addresses and its settings file."""

    process: subprocess.Popen[str]
    urls: list[str]
    gateway: str
    pipeline: Path
    texts: list[list[str]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def write(self, score: float, model: str = "PP-OCRv4_mobile_rec") -> None:
        self.pipeline.write_text(PIPELINE.format(score=score, model=model))

    def reload(self) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "tritonocr", "reload", "--pid", str(self.process.pid)]
        return subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)

    def scores(self) -> list[float]:
        """The threshold that each replica has in force."""
        found = []
        for url in self.urls:
            with OCRClient(url) as client:
                found.append(client.settings()["text_rec_score_thresh"])
        return found

    def tritonservers(self) -> list[int]:
        children = psutil.Process(self.process.pid).children()
        return sorted(child.pid for child in children if child.name() == "tritonserver")

    @contextmanager
    def under_load(self) -> Iterator[None]:
        """Clients read the demo page: through the gateway, each request sent once, and from all replicas."""
        self.texts.clear()
        self.failures.clear()
        done = threading.Event()
        readers = [self._read] * GATEWAY_CLIENTS + [self._read_from_replicas] * PYTHON_CLIENTS
        threads = [threading.Thread(target=reader, args=(done,)) for reader in readers]
        for thread in threads:
            thread.start()
        try:
            self.wait_for_more(CLIENTS)
            yield
            self.wait_for_more(CLIENTS)
        finally:
            done.set()
            for thread in threads:
                thread.join(TIMEOUT_S)

    def wait_for_more(self, count: int) -> None:
        wanted = len(self.texts) + len(self.failures) + count
        _until(lambda: len(self.texts) + len(self.failures) >= wanted)

    def _read(self, done: threading.Event) -> None:
        file = base64.b64encode(cv2.imencode(".png", demo_page())[1].tobytes()).decode()
        with httpx.Client(timeout=TIMEOUT_S) as client:
            while not done.is_set():
                try:
                    answer = client.post(f"{self.gateway}/ocr", json={"file": file, "visualize": False})
                    pages = answer.raise_for_status().json()["result"]["ocrResults"]
                except httpx.HTTPError as error:
                    self.failures.append(repr(error))
                else:
                    self.texts.append(pages[0]["prunedResult"]["rec_texts"])

    def _read_from_replicas(self, done: threading.Event) -> None:
        """Read without retries, except at a single server: then a reload is a gap."""
        with OCRClient(self.urls, timeout_s=TIMEOUT_S) as client:
            while not done.is_set():
                try:
                    pages = client.ocr(demo_page(), retry="restarts" if len(self.urls) == 1 else False)
                except TritonOCRError as error:
                    self.failures.append(repr(error))
                else:
                    self.texts.append(pages[0]["rec_texts"])


def _until(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.05)


@contextmanager
def serving(folder: Path, replicas: int) -> Iterator[Served]:
    pipeline = folder / "OCR.yaml"
    pipeline.write_text(PIPELINE.format(score=0.0, model="PP-OCRv4_mobile_rec"))
    ports = [f"--{name}-port=0" for name in ("http", "grpc", "metrics", "gateway")]
    command = ["serve", "--gateway", f"--replicas={replicas}", f"--pipeline={pipeline}", "--ocr-instances=2"]
    with (folder / "serve.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tritonocr", *command, *ports],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
    try:
        assert process.stdout is not None
        line = next((line for line in process.stdout if "is ready" in line), "")
        assert line, (folder / "serve.log").read_text()
        gateway = re.search(r"gateway (http://\S+:\d+)\.", line)
        assert gateway
        yield Served(process, re.findall(r"gRPC ([\d.]+:\d+)", line), gateway[1], pipeline)
        process.terminate()
        assert process.wait(90) == 0
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("replicas"), 2) as running:
        assert len(running.urls) == 2
        yield running


def check(served: Served) -> None:
    """No request failed, and every page was read alike."""
    assert served.failures == []
    assert len(served.texts[0]) > 5
    assert [texts for texts in served.texts if texts != served.texts[0]] == []


@pytest.mark.timeout(300)
def test_a_reload_under_load_fails_no_request_and_puts_the_settings_into_force(served: Served) -> None:
    before = served.tritonservers()
    served.write(0.01)
    with served.under_load():
        done = served.reload()
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stdout.splitlines() if "has read" in line] == [
        "replica 1 has read a page with the new settings",
        "replica 2 has read a page with the new settings",
    ]
    check(served)
    assert served.scores() == [0.01, 0.01]
    assert not {*before} & {*served.tritonservers()}


@pytest.mark.timeout(300)
def test_wrong_settings_are_named_and_disturb_nobody(served: Served) -> None:
    before, scores = served.tritonservers(), served.scores()
    served.write(0.02, model="no_such_rec")
    with served.under_load():
        done = served.reload()
    assert done.returncode == 1
    assert done.stderr.startswith("tritonocr: the reload failed: ")
    assert "no_such_rec" in done.stderr
    assert done.stderr.count("\n") == 1
    check(served)
    assert (served.tritonservers(), served.scores()) == (before, scores)


@pytest.mark.timeout(300)
def test_a_killed_replica_is_restarted_while_the_other_one_serves(served: Served) -> None:
    before = served.tritonservers()
    with served.under_load():
        os.killpg(before[0], signal.SIGKILL)
        served.wait_for_more(2 * CLIENTS)
        _until(lambda: len(served.tritonservers()) == 2 and before[0] not in served.tritonservers())
    check(served)
    assert before[1] in served.tritonservers(), "the other one was not restarted"


@pytest.mark.timeout(300)
def test_requests_wait_while_a_single_server_reloads(tmp_path: Path) -> None:
    with serving(tmp_path, 1) as served:
        served.write(0.01)
        with served.under_load():
            done = served.reload()
        assert done.returncode == 0, done.stderr
        assert "new requests wait until it has restarted" in done.stdout
        check(served)
        assert served.scores() == [0.01]
