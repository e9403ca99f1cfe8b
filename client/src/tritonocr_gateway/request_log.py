"""Request ids, and one log line per request with its id. The log contains no content of the document."""

from __future__ import annotations

import copy
import logging
import re
import time
import uuid
from typing import Any, Final
from urllib.parse import quote

import uvicorn.config
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tritonocr_common.json_logs import json_formatter
from tritonocr_gateway.settings import LogFormat

REQUEST_ID: Final = "X-Request-ID"

_log = logging.getLogger(__name__)
_TRACE_PARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_VALID_ID = re.compile(r"[\x21-\x7e]{1,128}")


class RequestLogMiddleware:
    """Give every request an id, return the id in `X-Request-ID`, and log the request with it.

    The id is the body's `logId`; else the request's `X-Request-ID`; else a new UUID. Triton gets the same
    request id and logs it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle an ASGI request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        state["log_id"] = _given_id(scope) or str(uuid.uuid4())
        started_s, status = time.monotonic(), 500

        async def named_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                # A logId can be in any script; a header value is ASCII, without blanks at its ends.
                MutableHeaders(scope=message)[REQUEST_ID] = quote(state["log_id"], safe=_VISIBLE)
            await send(message)

        try:
            await self._app(scope, receive, named_send)
        finally:
            route = route_of(scope)
            _log.log(
                logging.DEBUG if route in _POLLED_ROUTES and status < 400 else logging.INFO,
                "%s %s %s",
                *(scope["method"], route, status),
                extra={
                    "request_id": state["log_id"],
                    "milliseconds": round(1000 * (time.monotonic() - started_s), 1),
                },
            )


_POLLED_ROUTES = frozenset({"/health", "/health/ready", "/metrics"})
_VISIBLE = "".join(map(chr, range(0x21, 0x7F)))


def trace_headers(request: Request) -> dict[str, str]:
    """Return the W3C Trace Context header of the request, so that Triton's spans join the caller's trace."""
    given = request.headers.get("traceparent", "")
    return {"traceparent": given} if _TRACE_PARENT.fullmatch(given) else {}


def _given_id(scope: Scope) -> str | None:
    given = Headers(scope=scope).get(REQUEST_ID, "")
    return given if _VALID_ID.fullmatch(given) else None


def route_of(scope: Scope) -> str:
    """Return the route of a request, such as `/ocr`: the path itself can contain any text.

    Static files have the path of their mount, such as `/static`.
    """
    route = getattr(scope.get("route"), "path", None) or scope.get("root_path")
    # FastAPI's own route of the OpenAPI schema has an endpoint, and no route object in the scope.
    return route or (scope["path"] if "endpoint" in scope else "unmatched")


def log_config(log_format: LogFormat) -> dict[str, Any]:
    """Build uvicorn's logging configuration, with the gateway's logger and one time format."""
    config: dict[str, Any] = copy.deepcopy(uvicorn.config.LOGGING_CONFIG)
    config["loggers"]["tritonocr_gateway"] = {"handlers": ["default"], "level": "INFO", "propagate": False}
    if log_format == "json":
        config["formatters"]["default"] = {
            "()": json_formatter,
            # uvicorn adds `color_message`: its message with ANSI codes.
            "ignored_fields": ["color_message"],
        }
    else:
        config["formatters"]["default"] = {
            "()": _TextFormatter,
            "fmt": "%(asctime)s %(levelname)s %(message)s",
        }
    return config


class _TextFormatter(logging.Formatter):
    """Format lines for people, with the id and the milliseconds of a request at the end of its line."""

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        request_id = getattr(record, "request_id", None)
        return f"{line} {request_id!a} {record.__dict__['milliseconds']} ms" if request_id else line
