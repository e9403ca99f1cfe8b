"""Who may ask: API keys, and what browsers may do with the page."""

from __future__ import annotations

import hmac
from typing import Annotated

from fastapi import Depends
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from tritonocr_gateway.errors import UnauthorizedError
from tritonocr_gateway.service import ServiceDependency

_BEARER = HTTPBearer(auto_error=False, description="An API key, where the gateway asks for one.")
_HEADER = APIKeyHeader(name="X-API-Key", auto_error=False, description="The same, in a header of its own.")


def require_key(
    service: ServiceDependency,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)],
    header: Annotated[str | None, Depends(_HEADER)],
) -> None:
    """Let a request pass that shows a key, or any where there are no keys.

    Raises:
        UnauthorizedError: it shows none, or another.
    """
    keys = service.settings.api_keys
    shown = header or (bearer.credentials if bearer else "")
    # Every key is compared, in constant time: how long it takes tells nothing.
    matches = [hmac.compare_digest(key.get_secret_value().encode(), shown.encode()) for key in keys]
    if keys and not any(matches):
        raise UnauthorizedError("The API key is missing or wrong; expected Authorization: Bearer <key>.")
