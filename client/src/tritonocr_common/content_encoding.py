"""Decode the Content-Encoding of an HTTP response (RFC 9110, section 8.4)."""

from __future__ import annotations

import zlib
from contextlib import suppress

_GZIP_OR_ZLIB, _RAW_DEFLATE = 47, -15  # window bits of zlib
_ZLIB_CODINGS = frozenset({"gzip", "x-gzip", "deflate"})


class ContentEncodingError(Exception):
    """The content cannot be decoded; the message completes the sentence "Cannot fetch …: "."""


def decode_content(content: bytes, coding: str, limit_bytes: int) -> bytes:
    """Decode the body of a response.

    Servers send a coding that the request did not ask for, for example of files that were stored with it.

    Args:
        content: the body.
        coding: the value of the header; empty where absent.
        limit_bytes: largest size of the result.

    Raises:
        ContentEncodingError: the coding is not gzip or deflate, the content is damaged or too large.
    """
    coding = coding.strip().lower()
    if coding in ("", "identity"):
        return content
    if coding not in _ZLIB_CODINGS:
        raise ContentEncodingError(f"its Content-Encoding {coding[:40]!r} is not supported")
    for window_bits in (_GZIP_OR_ZLIB, _RAW_DEFLATE) if coding == "deflate" else (_GZIP_OR_ZLIB,):
        with suppress(zlib.error):
            return _decompressed(content, window_bits, limit_bytes)
    raise ContentEncodingError(f"its content is not in its Content-Encoding {coding!r}")


def _decompressed(content: bytes, window_bits: int, limit_bytes: int) -> bytes:
    decompressor = zlib.decompressobj(window_bits)
    decoded = decompressor.decompress(content, limit_bytes + 1)
    if len(decoded) > limit_bytes:
        raise ContentEncodingError(f"it is larger than {limit_bytes} bytes")
    if not decompressor.eof:
        raise ContentEncodingError("its compressed content is truncated")
    return decoded
