"""Facts of file formats that the client, the gateway and the server share."""

from __future__ import annotations

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
