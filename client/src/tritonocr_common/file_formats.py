"""Facts of file formats that the client, the gateway and the server share."""

from __future__ import annotations

import base64
import binascii
import io
import re
from collections.abc import Callable
from typing import Final

JPEG_QUALITY: Final = 95
"""Quality of the pictures that TritonOCR writes, from 0 to 100."""

JPEG_MAX_SIDE_PX: Final = 65_500
"""Largest side of a JPEG picture in libjpeg."""

PDF_HEADER: Final = b"%PDF-"
PDF_HEADER_WITHIN_BYTES: Final = 1024
"""PDF viewers accept the header anywhere in these first bytes (PDF 32000-1, annex H.3.4.1)."""


def is_pdf(data: bytes) -> bool:
    """Return whether the data has the header of a PDF."""
    return PDF_HEADER in data[:PDF_HEADER_WITHIN_BYTES]


TIFF_SIGNATURES: Final = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""TIFF 6.0 and BigTIFF."""


def is_tiff(data: bytes) -> bool:
    """Return whether the data has the header of a TIFF."""
    return data.startswith(TIFF_SIGNATURES)


_WHITESPACE = b" \t\n\r\v\f"
_DATA_URL_PREFIX = re.compile(rb"data:[^,]{0,200},")
# A PPM header consists of Base64 characters, and so does the whole of a plain (text) PPM.
_BASE64_START = re.compile(rb"(?:data:[^,]{0,200},)?(?!P[1-7]\s)[A-Za-z0-9+/\s]{16}")


_PART_BYTES = 1 << 20  # decoded without a break; other threads run between the parts


def decode_base64(data: bytes, decode: Callable[..., bytes] = base64.b64decode) -> bytes:
    """Decode Base64 text, with or without a `data:` prefix and white space.

    Args:
        data: the text in ASCII.
        decode: decodes a part of the text; it takes `validate=True`.

    Raises:
        binascii.Error: the data is no Base64 text.
    """
    prefix = _DATA_URL_PREFIX.match(data)
    content, text = io.BytesIO(), b""
    for start in range(prefix.end() if prefix else 0, len(data), _PART_BYTES):
        # `translate` needs one copy; `split` would make an object of each line.
        text += data[start : start + _PART_BYTES].translate(None, _WHITESPACE)
        complete = max(len(text) // 4 * 4 - 4, 0)  # the last group of four may be the padded end
        if b"=" in text[:complete]:
            raise binascii.Error("Excess data after padding")
        content.write(decode(text[:complete], validate=True))
        text = text[complete:]
    content.write(decode(text, validate=True))
    return content.getvalue()


def decoded_base64(data: bytes) -> bytes | None:
    """Return the bytes that the data represents as Base64 text, or None if the data is no such text."""
    if not _BASE64_START.match(data):
        return None
    try:
        return decode_base64(data)
    except binascii.Error:
        return None
