"""Read the markers of a JPEG: missing scans of a progressive JPEG, and coding that no decoder here supports.

A progressive JPEG that ends after one of its scans decodes without an error, only less sharp. ITU-T T.81,
annex B: the frame header names the components. Each scan header names the components of the scan, the first
and the last coefficient, and the number of low bits that later scans refine.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product

FRAMES = frozenset({0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})
LOSSLESS_FRAMES = frozenset({0xC3, 0xC7, 0xCB, 0xCF})
JPEG_LS_FRAME = 0xF7  # ITU-T T.87
SCAN, END = 0xDA, 0xD9
EIGHT_BITS = 8
COEFFICIENTS = 64
SHORTEST_SCAN_HEADER_BYTES = 6
# Inside scan data, 0xFF is followed by 0 or by a restart marker. Restart markers have no length field.
_MARKER = re.compile(rb"\xff([^\x00\x01\xd0-\xd8\xff])")


def unsupported_coding(data: bytes) -> str | None:
    """Return the name of a valid coding that no decoder here supports; None if there is none."""
    for marker, content in _segments(data):
        if marker == JPEG_LS_FRAME:
            return "a JPEG-LS"
        if marker in FRAMES and content:
            return None if content[0] == EIGHT_BITS else f"a JPEG of {content[0]} bits per sample"
    return None


def is_lossless(data: bytes) -> bool:
    """Return whether a JPEG has lossless coding (ITU-T T.81, annex H)."""
    return next((marker in LOSSLESS_FRAMES for marker, _ in _segments(data) if marker in FRAMES), False)


def lacks_scans(data: bytes) -> bool:
    """Return whether no scan of the first image carries some bit of some coefficient."""
    missing: set[tuple[int, int]] = set()
    for marker, content in _segments(data):
        if marker in FRAMES:
            missing.update(product(content[6::3], range(COEFFICIENTS)))
        elif marker == SCAN and len(content) >= SHORTEST_SCAN_HEADER_BYTES:
            first, last, bits = content[-3:]
            if bits & 0x0F == 0:  # the number of low bits that later scans refine
                missing.difference_update(product(content[1:-3:2], range(first, last + 1)))
    return bool(missing)


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (marker, content) of each complete segment up to the end of the first image."""
    position = 0
    while (match := _MARKER.search(data, position)) and match[1][0] != END:
        length = int.from_bytes(data[match.end() : match.end() + 2], "big")
        position = match.end() + max(length, 2)
        if position <= len(data):
            yield match[1][0], data[match.end() + 2 : position]
