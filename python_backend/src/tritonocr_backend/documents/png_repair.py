"""Repair PNGs that browsers read in spite of damage: a bad checksum beside the pixels, no end chunk."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

MAX_CHUNKS = 100_000  # a file of 256 MiB in usual chunks of 8 KiB has 32 768
SIGNATURE = b"\x89PNG\r\n\x1a\n"
END = b"\0\0\0\0IEND\xaeB`\x82"
ANCILLARY = 0x20  # PNG specification, section 5.4: bit 5 of the first byte of the chunk's type


def repair_png(data: bytes) -> bytes:
    """Return the PNG without ancillary chunks that have a wrong checksum, and with an end chunk.

    A file without this damage, a file that ends inside a chunk, and a file of more than `MAX_CHUNKS` chunks
    are returned as they are.
    """
    kept: list[bytes] = []
    is_damaged = False
    for number, (kind, chunk) in enumerate(_chunks(data)):
        if not chunk or number == MAX_CHUNKS:
            return data
        if kind == b"IEND":
            return SIGNATURE + b"".join([*kept, chunk]) if is_damaged else data
        if kind[0] & ANCILLARY and zlib.crc32(chunk[4:-4]) != struct.unpack(">I", chunk[-4:])[0]:
            is_damaged = True
            continue
        kept.append(chunk)
    return SIGNATURE + b"".join([*kept, END])


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the type and the bytes of each chunk; no bytes if the file ends inside the chunk."""
    position = len(SIGNATURE)
    while position < len(data):
        (length,) = struct.unpack(">I", data[position : position + 4].rjust(4, b"\xff"))
        end = position + 12 + length
        yield data[position + 4 : position + 8], data[position:end] if end <= len(data) else b""
        position = end
