"""Cut pages from the front of a document, so that pages which have been read are not sent again."""

from __future__ import annotations

import io
import struct
from typing import Final

import pikepdf

from tritonocr_common.file_formats import is_pdf

_BYTE_ORDERS: Final = {b"II": "<", b"MM": ">"}
_CLASSIC, _BIG = 42, 43  # versions of TIFF


def without_first_pages(content: bytes, count: int) -> tuple[bytes, int]:
    """Return a document without its first pages, and how many pages were cut.

    No page is cut where that is impossible: images of one page, damaged files, or fewer pages than `count`.

    Args:
        content: the document.
        count: number of pages to cut.
    """
    try:
        if count and is_pdf(content):
            return _pdf_without(content, count), count
        if count and content[:2] in _BYTE_ORDERS:
            return _tiff_without(content, count), count
    except (pikepdf.PdfError, struct.error, ValueError):
        pass  # the server reads damaged files that pikepdf does not
    return content, 0


def _pdf_without(content: bytes, count: int) -> bytes:
    output = io.BytesIO()
    with pikepdf.open(io.BytesIO(content)) as document:
        if len(document.pages) <= count:
            raise ValueError("the document has fewer pages")
        del document.pages[:count]
        document.save(output)
    return output.getvalue()


def _tiff_without(content: bytes, count: int) -> bytes:
    """Let the header of a TIFF point to a later page: the pages are a chain of directories."""
    order = _BYTE_ORDERS[content[:2]]
    (version,) = struct.unpack_from(f"{order}H", content, 2)
    if version not in (_CLASSIC, _BIG):
        raise ValueError("not a TIFF")
    number, link, entry_bytes, place = ("H", "I", 12, 4) if version == _CLASSIC else ("Q", "Q", 20, 8)
    (directory,) = struct.unpack_from(order + link, content, place)
    for _ in range(count):
        (entries,) = struct.unpack_from(order + number, content, directory)
        end = directory + struct.calcsize(number) + entries * entry_bytes
        (directory,) = struct.unpack_from(order + link, content, end)
        if not directory:
            raise ValueError("the document has fewer pages")
    head = content[:place] + struct.pack(order + link, directory)
    return head + content[len(head) :]
