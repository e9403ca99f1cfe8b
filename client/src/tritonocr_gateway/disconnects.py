"""Cancel the work of a request whose client has disconnected."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from fastapi import Request

from tritonocr_gateway.errors import ClientGoneError

_T = TypeVar("_T")


async def unless_disconnected(request: Request, work: Awaitable[_T]) -> _T:
    """Await the work, and cancel it when the client disconnects.

    Args:
        request: a request whose body has been read to its end.
        work: what computes the response.

    Raises:
        ClientGoneError: the client disconnected.
    """
    working = asyncio.ensure_future(work)
    watching = asyncio.ensure_future(_disconnect(request))
    try:
        await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise ClientGoneError("The client closed the connection.")
    finally:
        working.cancel()
        watching.cancel()
        await asyncio.gather(working, watching, return_exceptions=True)


async def _disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
