"""Probe a server: ask whether tritonserver answers, and read a small page."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable

import cv2
import numpy as np

PROBE_EVERY_S, PROBE_TIMEOUT_S, SILENT_PROBES = 5.0, 5.0, 6
"""tritonserver hangs if it does not answer this many questions in a row: at most 60 s."""
QUIET_S, PAGE_TIMEOUT_S = 30.0, 60.0
"""A page is read if no model has finished anything for `QUIET_S`; the page may take `PAGE_TIMEOUT_S`."""


class PageProbe:
    """A thread that probes one start of a server.

    Args:
        address: host and port of tritonserver's HTTP endpoint.
        idle_s: returns for how many seconds no process has worked; 0 while one works.
    """

    def __init__(self, address: tuple[str, int], idle_s: Callable[[], float]) -> None:
        self._address, self._idle_s = address, idle_s
        self._stopping = threading.Event()
        self.fault: str | None = None
        """Why the server hangs; None while it works."""
        threading.Thread(target=self._run, name="tritonocr-probe", daemon=True).start()

    def stop(self) -> None:
        """End the thread; do not wait for a probe that is under way."""
        self._stopping.set()

    def _run(self) -> None:
        silent = 0
        while self.fault is None and not self._stopping.wait(PROBE_EVERY_S):
            silent = (
                0 if is_answered(self._address, "GET", "/v2/health/live", PROBE_TIMEOUT_S) else silent + 1
            )
            if silent >= SILENT_PROBES:
                self.fault = "tritonserver does not answer"
            elif silent == 0 and self._idle_s() > QUIET_S and not reads_a_page(self._address, PAGE_TIMEOUT_S):
                self.fault = f"the server did not read a small page within {PAGE_TIMEOUT_S:g} s"


def is_ready(http_url: str) -> bool:
    """Return whether all models of the server at an HTTP endpoint, `host:port`, are loaded."""
    try:
        with urllib.request.urlopen(f"http://{http_url}/v2/health/ready", timeout=5) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def reads_a_page(address: tuple[str, int], timeout_s: float) -> bool:
    """Return whether the server answers a request to read a small page; an error is an answer."""
    return is_answered(address, "POST", "/v2/models/ocr/infer", timeout_s, _request())


def is_answered(
    address: tuple[str, int], method: str, path: str, timeout_s: float, body: bytes | None = None
) -> bool:
    """Return whether an HTTP request is answered in time, or ends because the process ended."""
    started_s = time.monotonic()
    connection = http.client.HTTPConnection(*address, timeout=timeout_s)
    with contextlib.closing(connection):
        try:
            connection.request(method, path, body)
            connection.getresponse().read()
        except TimeoutError:
            return False
        except (OSError, http.client.HTTPException):  # dead processes are noticed by other means
            return time.monotonic() - started_s < timeout_s
    return True


def _request() -> bytes:
    """Return a request of KServe's protocol with the pixels of a page with one line of text."""
    page = np.full((64, 256, 3), 255, np.uint8)
    cv2.putText(page, "TritonOCR 123", (12, 40), cv2.FONT_HERSHEY_SIMPLEX, 0.9, (0, 0, 0), 2)
    image = {"name": "image", "datatype": "UINT8", "shape": page.shape, "data": page.ravel().tolist()}
    outputs = [{"name": "page_count"}]
    request_id = f"watchdog-{uuid.uuid4().hex[:8]}"
    return json.dumps({"id": request_id, "inputs": [image], "outputs": outputs}).encode()
