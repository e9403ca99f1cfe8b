"""Answering before the body has arrived, so that the client gets to see the answer."""

from __future__ import annotations

import asyncio
import contextlib

from starlette.types import ASGIApp, Message, Receive, Scope, Send

DRAIN_TIMEOUT_S = 5.0


class DrainingMiddleware:
    """Reads what is left of a request's body after its answer, and throws it away.

    Most clients send all of a body before they look for an answer. Closing the connection under them, as
    servers do with unread bodies, would show them a broken connection instead of the 413, 429 or 401.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http" or _waits_for_permission(scope):
            await self._app(scope, receive, send)
            return
        complete = False

        async def watched_receive() -> Message:
            nonlocal complete
            message = await receive()
            complete = not message.get("more_body", False)
            return message

        async def draining_send(message: Message) -> None:
            if message["type"] == "http.response.body" and not message.get("more_body") and not complete:
                await send({**message, "more_body": True})
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(_drain(watched_receive), DRAIN_TIMEOUT_S)
                message = {"type": "http.response.body", "body": b""}
            await send(message)

        await self._app(scope, watched_receive, draining_send)


async def _drain(receive: Receive) -> None:
    while (await receive()).get("more_body"):
        pass


def _waits_for_permission(scope: Scope) -> bool:
    """Whether the client sends its body only when it is told to."""
    return any(name == b"expect" for name, _ in scope["headers"])
