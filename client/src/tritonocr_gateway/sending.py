"""Send response bodies in pieces, so that a client that does not read holds one copy of its response.

uvicorn gives a whole body to the transport, which then buffers a second copy of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Hold = Callable[[int], None]
"""Receives the number of bytes of the body that are not sent yet."""

_PIECE_BYTES = 1 << 18


def in_pieces(app: Any, hold: Hold) -> Any:
    """Wrap an ASGI app: uvicorn waits before each piece until the client has read the pieces before it.

    Args:
        app: the ASGI app.
        hold: called before each piece.
    """

    async def app_in_pieces(scope: Any, receive: Any, send: Any) -> None:
        """Run the app, and send each body in pieces of at most 256 KiB."""

        async def send_in_pieces(message: Any) -> None:
            body = message.get("body", b"")
            last = max(len(body) - 1, 0) // _PIECE_BYTES * _PIECE_BYTES
            for start in range(0, last, _PIECE_BYTES):
                hold(len(body) - start)
                piece = body[start : start + _PIECE_BYTES]
                await send({"type": message["type"], "body": piece, "more_body": True})
            hold(0)
            await send({**message, "body": body[last:]} if last else message)

        await app(scope, receive, send_in_pieces)

    return app_in_pieces
