"""A collector of OpenTelemetry's traces over OTLP/HTTP in JSON, as small as a test needs it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Collector:
    """What has been collected; `url` is where exporters send it."""

    url: str
    spans: list[dict[str, Any]] = field(default_factory=list)

    def trace(self, trace_id: str) -> list[dict[str, Any]]:
        """The spans of one trace."""
        return [span for span in list(self.spans) if span["traceId"] == trace_id]


@contextmanager
def collecting() -> Iterator[Collector]:
    """Collect on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            for resource in body["resourceSpans"]:
                for scope in resource["scopeSpans"]:
                    collector.spans += scope["spans"]
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector = Collector(f"http://127.0.0.1:{server.server_port}/v1/traces")
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()
