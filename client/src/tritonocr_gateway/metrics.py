"""The gateway's own metrics for Prometheus."""

from __future__ import annotations

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tritonocr_common.restarts import read_restarts
from tritonocr_gateway.request_log import route_of

PREFIX = "tritonocr_gateway"
# Buckets in seconds, from a small receipt to a document of many pages.
BUCKETS_S = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)


class Metrics:
    """The metrics of one app, in their own registry: a process can hold several apps."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            f"{PREFIX}_requests", "Requests by route and status.", ["route", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            f"{PREFIX}_request_seconds",
            "Seconds from the request's head to the end of its response.",
            ["route"],
            buckets=BUCKETS_S,
            registry=self.registry,
        )
        self.pages = Counter(f"{PREFIX}_pages", "Pages read.", registry=self.registry)
        self.in_flight = Gauge(
            f"{PREFIX}_requests_in_flight", "Requests that hold a permit.", registry=self.registry
        )
        self.retries = Counter(
            f"{PREFIX}_retries",
            "Attempts to read a file again after the server restarted or was unavailable.",
            registry=self.registry,
        )
        restarts = Counter(
            f"{PREFIX}_restarts",
            "Restarts of the gateway by `tritonocr serve`.",
            ["reason"],
            registry=self.registry,
        )
        for reason, count in read_restarts().items():
            restarts.labels(reason).inc(count)
        self._retries_counted = 0

    def set_retries(self, total: int) -> None:
        """Raise the counter of retries to the client's number."""
        self.retries.inc(total - self._retries_counted)
        self._retries_counted = total

    def exposition(self) -> bytes:
        """Return the metrics in Prometheus' text format."""
        return generate_latest(self.registry)


class MetricsMiddleware:
    """Count and time every request by its route. The path would give an unbounded number of labels."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle an ASGI request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started_s, status = time.monotonic(), 500

        async def counted_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, counted_send)
        finally:
            route = route_of(scope)
            self._metrics.requests.labels(route, status).inc()
            self._metrics.seconds.labels(route).observe(time.monotonic() - started_s)
