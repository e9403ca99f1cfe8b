"""A gateway on a real socket, for tests that need a connection to break or a body to be too large."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

START_TIMEOUT_S = 20


@contextmanager
def running(app: FastAPI) -> Iterator[str]:
    """Serve an app in a thread on a free port; yields its address."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", timeout_graceful_shutdown=5))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not server.started:
            assert thread.is_alive(), "the gateway did not start; its log says why"
            assert time.monotonic() < deadline, f"the gateway did not start within {START_TIMEOUT_S} s"
            time.sleep(0.01)
        host, port = server.servers[0].sockets[0].getsockname()[:2]
        yield f"http://{host}:{port}"
    finally:
        server.should_exit = True
        thread.join()
