"""A local HTTP server of files, with Range requests and faults on demand."""

import hashlib
import threading
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class FileServer(ThreadingHTTPServer):
    """Serves `files` by path.

    Attributes:
        cuts: For the next responses, after how many body bytes the connection is dropped (None: never).
        statuses: Statuses to answer the next requests with, instead of a file.
        states_length: Whether responses say how long they are.
        ranges: The Range header of each request so far.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.cuts: deque[int | None] = deque()
        self.statuses: deque[int] = deque()
        self.states_length = True
        self.ranges: list[str | None] = []
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}{path}"

    def add(self, path: str, content: bytes) -> str:
        self.files[path] = content
        return self.url(path)


class _Handler(BaseHTTPRequestHandler):
    server: FileServer

    def do_GET(self) -> None:
        asked = self.headers["Range"]
        self.server.ranges.append(asked)
        if self.server.statuses:
            self.send_error(self.server.statuses.popleft())
            return
        content = self.server.files.get(self.path)
        if content is None:
            self.send_error(404)
            return
        etag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        start = 0
        if asked and self.headers["If-Range"] == etag:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if start >= len(content):
                self.send_error(416)
                return
        self._send(content, start, etag)

    def _send(self, content: bytes, start: int, etag: str) -> None:
        self.send_response(206 if start else 200)
        self.send_header("ETag", etag)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        if self.server.states_length:
            self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        cut = self.server.cuts.popleft() if self.server.cuts else None
        self.wfile.write(content[start:][:cut])

    def log_message(self, *arguments: object) -> None:
        pass
