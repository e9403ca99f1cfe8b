"""Whether all scans of a JPEG are there: a progressive one that was cut between two is only less sharp.

The decoder knows, and does not say so. ITU-T T.81, annex B: the frame's header names the components, each
scan's header its components, the first and last of their coefficients, and the bits that are still to come.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product

FRAMES = frozenset({0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})
SCAN, END = 0xDA, 0xD9
COEFFICIENTS = 64
SHORTEST_SCAN_HEADER_BYTES = 6
# Within a scan 0xFF is followed by 0 or a restart marker; those, like the start of the image, have no length.
_MARKER = re.compile(rb"\xff([^\x00\x01\xd0-\xd8\xff])")


def lacks_scans(data: bytes) -> bool:
    """Whether a bit of any coefficient of a JPEG's first picture comes in no scan."""
    missing: set[tuple[int, int]] = set()
    for marker, content in _segments(data):
        if marker in FRAMES:
            missing.update(product(content[6::3], range(COEFFICIENTS)))
        elif marker == SCAN and len(content) >= SHORTEST_SCAN_HEADER_BYTES:
            first, last, bits = content[-3:]
            if bits & 0x0F == 0:  # how many low bits are left out
                missing.difference_update(product(content[1:-3:2], range(first, last + 1)))
    return bool(missing)


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The markers up to the first picture's end, each with what its length covers if that is all there."""
    position = 0
    while (found := _MARKER.search(data, position)) and found[1][0] != END:
        length = int.from_bytes(data[found.end() : found.end() + 2], "big")
        position = found.end() + max(length, 2)
        if position <= len(data):
            yield found[1][0], data[found.end() + 2 : position]
