"""Discard the rest of a request body after an early response, so that the client can read the response."""

from __future__ import annotations

import asyncio
import contextlib

from starlette.types import ASGIApp, Message, Receive, Scope, Send

DISCARD_TIMEOUT_S = 5.0


class UnreadBodyMiddleware:
    """Read and discard the rest of a request body after its response.

    Most clients send the whole body before they read the response. A server that closes the connection
    with unread data makes such a client see a connection reset instead of the 413, 429 or 401.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle an ASGI request."""
        if scope["type"] != "http" or _expects_continue(scope):
            await self._app(scope, receive, send)
            return
        complete = False

        async def watched_receive() -> Message:
            nonlocal complete
            message = await receive()
            complete = not message.get("more_body", False)
            return message

        async def discarding_send(message: Message) -> None:
            if message["type"] == "http.response.body" and not message.get("more_body") and not complete:
                await send({**message, "more_body": True})
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(_discard(watched_receive), DISCARD_TIMEOUT_S)
                message = {"type": "http.response.body", "body": b""}
            await send(message)

        await self._app(scope, watched_receive, discarding_send)


async def _discard(receive: Receive) -> None:
    while (await receive()).get("more_body"):
        pass


def _expects_continue(scope: Scope) -> bool:
    """Return whether the client waits for `100 Continue` before it sends the body."""
    return any(name == b"expect" for name, _ in scope["headers"])
