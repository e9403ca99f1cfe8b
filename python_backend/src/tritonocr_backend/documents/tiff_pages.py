"""Count the pages of a TIFF by following its directories without reading their contents.

Pillow reads every directory to count them, which takes 1 ms each: 84 s for a file of 10 MB.
"""

from __future__ import annotations

import struct

from tritonocr_backend.core.errors import InvalidInputError

MAX_PAGES = 100_000


def count_pages(data: bytes) -> int:
    """Count the directories in the chain (TIFF 6.0, section 2; BigTIFF). The chain may be a circle.

    Raises:
        InvalidInputError: the TIFF has more than `MAX_PAGES`.
        struct.error: a link points outside the file.
    """
    order = "<" if data[:2] == b"II" else ">"
    is_big = struct.unpack_from(f"{order}H", data, 2)[0] == 43
    count_format, entry_bytes, link_format = (
        (f"{order}Q", 20, f"{order}Q") if is_big else (f"{order}H", 12, f"{order}I")
    )
    (directory,) = struct.unpack_from(link_format, data, 8 if is_big else 4)
    seen: set[int] = set()
    while directory and directory not in seen:
        seen.add(directory)
        if len(seen) > MAX_PAGES:
            raise InvalidInputError(
                f"file: the TIFF has more than {MAX_PAGES} pages, expected fewer", "too_large"
            )
        (entries,) = _read(count_format, data, directory)
        link = directory + struct.calcsize(count_format) + entries * entry_bytes
        (directory,) = _read(link_format, data, link)
    return len(seen)


def _read(layout: str, data: bytes, offset: int) -> tuple[int, ...]:
    if offset > len(data):  # struct raises OverflowError instead for offsets beyond its own limit
        raise struct.error(f"the chain leads to byte {offset} of {len(data)}")
    return struct.unpack_from(layout, data, offset)
