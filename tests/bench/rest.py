"""Subjects with `POST /ocr`: PaddleX's basic server and the gateway."""

from __future__ import annotations

import base64
import json
import os
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import requests

from bench.load import Load
from bench.measured import Pass, ReadLine
from bench.processes import ProcessTree, end_group, start_group
from bench.worker import ENVIRONMENT
from bench.workloads import Page, Workload

START_TIMEOUT_S = 120
STOP_TIMEOUT_S = 30
REQUEST_TIMEOUT_S = 600


class RestError(RuntimeError):
    """A server did not start, or did not answer with a result."""


class RestSubject:
    """A server process with `POST /ocr`; a context manager.

    Args:
        command: what starts it, `{port}` standing for the port.
        log_file: where what it prints goes.
    """

    def __init__(self, command: Sequence[str], log_file: Path) -> None:
        port = free_port()
        self._url, self._log_file = f"http://127.0.0.1:{port}", log_file
        with log_file.open("ab") as log:
            self._process = start_group(
                [part.replace("{port}", str(port)) for part in command],
                stdout=log,
                stderr=log,
                env={**os.environ, **ENVIRONMENT},
            )
        self.tree = ProcessTree(self._process.pid)
        self._session = requests.Session()
        self._session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=64))
        self._bodies: dict[tuple[str, str], bytes] = {}

    def __enter__(self) -> RestSubject:
        try:
            self._wait_until_ready()
        except BaseException:
            end_group(self._process)
            raise
        return self

    def __exit__(self, *raised: object) -> None:
        end_group(self._process, grace_s=STOP_TIMEOUT_S)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                tail = self._log_file.read_text(errors="replace").splitlines()[-10:]
                raise RestError("\n".join(["the server did not start:", *tail]))
            time.sleep(0.2)

    def read(self, workload: Workload, pages: Sequence[Page], clients: int) -> Pass:
        """One pass over the pages."""
        bodies = [self._body(workload, page) for page in pages]
        self.tree.reset_peak()
        cpu_s = self.tree.cpu_s()
        load = Load(self._post, clients).run(bodies)
        return Pass(
            pages=sum(page.page_count for page in pages),
            wall_s=load.wall_s,
            latencies_s=load.latencies_s,
            cpu_s=self.tree.cpu_s() - cpu_s,
            client_cpu_s=load.cpu_s,
            peak_mb=self.tree.peak_mb(),
            lines={page.name: _lines(answer) for page, answer in zip(pages, load.answers, strict=True)},
        )

    def _answers(self) -> bool:
        try:
            return self._session.get(f"{self._url}/health", timeout=5).ok
        except requests.ConnectionError:
            return False

    def _post(self, body: bytes) -> bytes:
        headers = {"Content-Type": "application/json"}
        answer = self._session.post(f"{self._url}/ocr", data=body, headers=headers, timeout=REQUEST_TIMEOUT_S)
        if not answer.ok:
            raise RestError(f"POST /ocr: {answer.status_code} {answer.text[:300]}")
        return answer.content

    def _body(self, workload: Workload, page: Page) -> bytes:
        key = (workload.name, str(page.path))
        if key not in self._bodies:
            fields = {"file": base64.b64encode(page.path.read_bytes()).decode(), **_fields(workload, page)}
            self._bodies[key] = json.dumps(fields).encode()
        return self._bodies[key]


def _fields(workload: Workload, page: Page) -> dict[str, Any]:
    return {
        "fileType": 0 if page.path.suffix == ".pdf" else 1,
        "useDocOrientationClassify": False,
        "useDocUnwarping": False,
        "useTextlineOrientation": False,
        "textDetLimitSideLen": workload.limit_side_len,
        "textDetLimitType": "max",
        "textDetThresh": workload.models.thresh,
        "textDetBoxThresh": workload.models.box_thresh,
        "textDetUnclipRatio": workload.models.unclip_ratio,
        "visualize": False,
    }


def _lines(answer: bytes) -> list[ReadLine]:
    results = [page["prunedResult"] for page in json.loads(answer)["result"]["ocrResults"]]
    return [line for result in results for line in zip(result["rec_polys"], result["rec_texts"], strict=True)]


def free_port() -> int:
    """A port of 127.0.0.1 that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
