"""Sign messages as https://www.standardwebhooks.com describes."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Final

_PREFIX: Final = "whsec_"
_EXPECTED: Final = "expected whsec_ and the Base64 of 24 to 64 random bytes"


def secret_bytes(secret: str) -> bytes:
    """Decode a secret of the form `whsec_<Base64>`.

    Raises:
        ValueError: the secret has another form, or not 24 to 64 bytes.
    """
    if not secret.startswith(_PREFIX):
        raise ValueError(_EXPECTED)
    try:
        decoded = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except ValueError as error:
        raise ValueError(_EXPECTED) from error
    if not 24 <= len(decoded) <= 64:
        raise ValueError(_EXPECTED)
    return decoded


def signed_headers(secret: str, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the headers of a message, with its signature."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    digest = hmac.new(secret_bytes(secret), signed, hashlib.sha256).digest()
    return {
        "Content-Type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }
