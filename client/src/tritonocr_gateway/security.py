"""Who may ask: API keys, how often, and what browsers may do with an answer."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Mapping
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tritonocr_gateway.errors import UnauthorizedError
from tritonocr_gateway.service import ServiceDependency

_BEARER = HTTPBearer(auto_error=False, description="An API key, where the gateway asks for one.")
_HEADER = APIKeyHeader(name="X-API-Key", auto_error=False, description="The same, in a header of its own.")

_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",  # what a document says is nothing for a cache
}


def require_key(
    request: Request,
    service: ServiceDependency,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)],
    header: Annotated[str | None, Depends(_HEADER)],
) -> None:
    """Let a request pass that shows a key, or any where there are no keys, unless there are too many.

    Raises:
        UnauthorizedError: it shows none, or another.
        OverCapacityError: it is one too many of its key's, or of its address's: guesses are counted, too.
    """
    keys = service.settings.api_keys
    shown = header or (bearer.credentials if bearer else "")
    # Every key is compared, in constant time: how long it takes tells nothing.
    matches = [hmac.compare_digest(key.get_secret_value().encode(), shown.encode()) for key in keys]
    service.rate.check(f"key {matches.index(True)}" if any(matches) else _network_of(request))
    if keys and not any(matches):
        raise UnauthorizedError("The API key is missing or wrong; expected Authorization: Bearer <key>.")


def _network_of(request: Request) -> str:
    """Who asks, as far as addresses tell: of IPv6, everybody has a network of 2^64."""
    host = request.client.host if request.client else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:  # a Unix socket
        return host
    return str(ipaddress.ip_network((address, 64), strict=False)) if address.version == 6 else host


class SafeHeadersMiddleware:
    """Gives every answer the headers that keep browsers strict, where it has none of its own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""

        async def safe_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, safe_send if scope["type"] == "http" else send)
