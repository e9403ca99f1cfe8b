"""Request ids, and a log line for every request under its id: nothing of the document is in it."""

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

from tritonocr_gateway.settings import LogFormat

REQUEST_ID: Final = "X-Request-ID"

_log = logging.getLogger(__name__)
_TRACE_PARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_ACCEPTABLE = re.compile(r"[\x21-\x7e]{1,128}")


class RequestLogMiddleware:
    """Gives every request an id, answers it in `X-Request-ID`, and logs the request under it.

    The id is the body's `logId`, or else the `X-Request-ID` that came, or else made up. It is also Triton's
    request id, under which the server logs.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
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
                # A logId may be of any script, a header may not.
                MutableHeaders(scope=message)[REQUEST_ID] = quote(state["log_id"], safe=_PRINTABLE)
            await send(message)

        try:
            await self._app(scope, receive, named_send)
        finally:
            route = route_of(scope)
            _log.log(
                logging.DEBUG if route in _ASKED_ALL_THE_TIME and status < 400 else logging.INFO,
                "%s %s %s",
                *(scope["method"], route, status),
                extra={
                    "request_id": state["log_id"],
                    "milliseconds": round(1000 * (time.monotonic() - started_s), 1),
                },
            )


_ASKED_ALL_THE_TIME = frozenset({"/health", "/health/ready", "/metrics"})
_PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))


def trace_headers(request: Request) -> dict[str, str]:
    """The header that makes Triton's spans part of the caller's trace (W3C Trace Context), if it came."""
    given = request.headers.get("traceparent", "")
    return {"traceparent": given} if _TRACE_PARENT.fullmatch(given) else {}


def _given_id(scope: Scope) -> str | None:
    given = Headers(scope=scope).get(REQUEST_ID, "")
    return given if _ACCEPTABLE.fullmatch(given) else None


def route_of(scope: Scope) -> str:
    """The route rather than the path, which may be anything."""
    return getattr(scope.get("route"), "path", "unmatched")


def log_config(log_format: LogFormat) -> dict[str, Any]:
    """Uvicorn's own configuration of its log, with this gateway's lines in it."""
    config: dict[str, Any] = copy.deepcopy(uvicorn.config.LOGGING_CONFIG)
    config["loggers"]["tritonocr_gateway"] = {"handlers": ["default"], "level": "INFO", "propagate": False}
    if log_format == "json":
        config["formatters"]["default"] = {
            "()": "pythonjsonlogger.json.JsonFormatter",
            "fmt": ["levelname", "name", "message"],
            "rename_fields": {"levelname": "level", "name": "logger", "exc_info": "traceback"},
            "timestamp": "time",
        }
    else:
        config["formatters"]["default"] = {
            "()": _TextFormatter,
            "fmt": "%(asctime)s %(levelname)s %(message)s",
        }
    return config


class _TextFormatter(logging.Formatter):
    """Lines for people: the id and the milliseconds of a request behind its line."""

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        request_id = getattr(record, "request_id", None)
        return f"{line} {request_id!a} {record.__dict__['milliseconds']} ms" if request_id else line
