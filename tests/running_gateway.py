"""Run a gateway on a real socket, for tests that break connections or send large bodies."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from tritonocr_gateway.cli import uvicorn_config

START_TIMEOUT_S = 20
STOP_TIMEOUT_S = 60


@contextmanager
def running(app: FastAPI, port: int = 0) -> Iterator[str]:
    """Serve an app in a thread, on a free port where 0 is given, and yield its address."""
    config = uvicorn_config(app, app.state.settings, log_level="warning", timeout_graceful_shutdown=5)
    config.port = port
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
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
        thread.join(STOP_TIMEOUT_S)
        assert not thread.is_alive(), f"the gateway did not stop within {STOP_TIMEOUT_S} s"


def free_port() -> int:
    """Return a port that no process listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


class Line:
    """A TCP proxy to a server on this machine. When it is cut, the server seems stopped."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> Line:
        self.mend()
        return self

    def __exit__(self, *exception: object) -> None:
        self.cut()

    def mend(self) -> None:
        """Let connections through."""
        if self._listener.fileno() < 0:
            self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def cut(self) -> None:
        """Close the open connections, and reject new ones."""
        for end in (self._listener, *self._sockets):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._sockets.clear()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.create_connection(("127.0.0.1", self._server_port))
                self._sockets += near, far
                for source, target in ((near, far), (far, near)):
                    threading.Thread(target=_copy, args=(source, target), daemon=True).start()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
