"""Authentication by API keys, request rates, and response headers that restrict browsers."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Mapping
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer
from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tritonocr_gateway.errors import UnauthorizedError
from tritonocr_gateway.service import ServiceDependency

_BEARER = HTTPBearer(auto_error=False, description="An API key, where the gateway has API keys.")
_HEADER = APIKeyHeader(name="X-API-Key", auto_error=False, description="The API key in its own header.")

_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",  # a cache must not keep the text of a document
}


def require_key(
    request: Request,
    service: ServiceDependency,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)],
    header: Annotated[str | None, Depends(_HEADER)],
) -> str:
    """Check the API key and the request rate, and return an id of the caller that survives a restart.

    Without configured keys every request passes. Wrong keys count towards the rate of their address.

    Raises:
        UnauthorizedError: the key is missing or wrong.
        OverCapacityError: the key or the address has exceeded its rate.
    """
    keys = service.settings.api_keys
    given = header or (bearer.credentials if bearer else _token(request))
    # Compare with every key in constant time, so that the response time reveals nothing.
    matches = [hmac.compare_digest(key.get_secret_value().encode(), given.encode()) for key in keys]
    caller = f"key {matches.index(True)}" if any(matches) else f"address {_network_of(request)}"
    service.rate.check(caller)
    if keys and not any(matches):
        raise UnauthorizedError("The API key is missing or wrong; expected Authorization: Bearer <key>.")
    return hashlib.sha256(given.encode()).hexdigest()[:32] if keys else "anonymous"


CallerDependency = Annotated[str, Depends(require_key)]


def _token(request: Request) -> str:
    """Return the key of `Authorization: token <key>`, the form of PaddleOCR's clients."""
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    return credentials.strip() if scheme.lower() == "token" else ""


def _network_of(request: Request) -> str:
    """Return the caller's address. An IPv6 caller usually has a whole /64 network."""
    host = request.client.host if request.client else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:  # a Unix socket
        return host
    return str(ipaddress.ip_network((address, 64), strict=False)) if address.version == 6 else host


class SafeHeadersMiddleware:
    """Add headers that restrict browsers to every response that has no such header of its own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle an ASGI request."""

        async def safe_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, safe_send if scope["type"] == "http" else send)


class FramingMiddleware:
    """Reject a request with both Content-Length and Transfer-Encoding, and close the connection.

    Such a request can smuggle a second request past a proxy (RFC 9112, section 6.1).
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle an ASGI request."""
        if scope["type"] == "http":
            names = {name for name, _ in scope["headers"]}
            if {b"content-length", b"transfer-encoding"} <= names:
                await _ambiguous_length(scope)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _ambiguous_length(scope: Scope) -> JSONResponse:
    body = {
        "logId": scope["state"]["log_id"],
        "errorCode": 400,
        "errorMsg": "The request has both Content-Length and Transfer-Encoding; expected one of them.",
    }
    return JSONResponse(body, 400, {"Connection": "close"})
