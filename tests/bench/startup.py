"""Measure the time until `tritonocr serve` is ready."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

TIMEOUT_S = 180
_COMMAND = [sys.executable, "-m", "tritonocr", "serve"]
_ANY_PORTS = ["--http-port", "0", "--grpc-port", "0", "--metrics-port", "0"]


def startup_s(device: str) -> float:
    """Return the seconds from the start of the command to its line that reports readiness.

    Raises:
        RuntimeError: it ended before that.
    """
    started_s = time.perf_counter()
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [*_COMMAND, *_ANY_PORTS, "--device", device], stdout=subprocess.PIPE, env=environment, text=True
    ) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if "is ready after" in line:
                    return time.perf_counter() - started_s
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=TIMEOUT_S)
    raise RuntimeError(f"{' '.join(_COMMAND)} ended with status {process.returncode} before it was ready")
