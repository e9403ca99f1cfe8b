"""Facts of file formats that the client, the gateway and the server share."""

from __future__ import annotations

import base64
import binascii
import re
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


def base64_text(data: bytes) -> bytes:
    """Return Base64 text without its `data:` prefix and its white space."""
    if prefix := _DATA_URL_PREFIX.match(data):
        data = data[prefix.end() :]
    # `translate` needs one copy; `split` would make an object of each line, 1.3 GB for a body of 100 MB.
    return data.translate(None, _WHITESPACE)


def decoded_base64(data: bytes) -> bytes | None:
    """Return the bytes that the data represents as Base64 text, or None if the data is no such text."""
    if not _BASE64_START.match(data):
        return None
    try:
        return base64.b64decode(base64_text(data), validate=True)
    except binascii.Error:
        return None
