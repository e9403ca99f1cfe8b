"""The content of one file, and which kinds of files have several pages."""

from __future__ import annotations

from pathlib import PurePath
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from tritonocr_common.file_formats import is_pdf, is_tiff

File: TypeAlias = "bytes | NDArray[np.uint8]"

# PaddleX searches directories for .jpg, .jpeg, .png and .bmp, and ignores PDFs.
SUFFIXES = frozenset(
    f".{name}"
    for name in (
        *("avif", "bmp", "dib", "gif", "j2k", "jfif", "jp2", "jpe", "jpeg", "jpg", "jpx"),
        *("pbm", "pdf", "pgm", "png", "pnm", "ppm", "tif", "tiff", "webp"),
    )
)
# Pictures and documents that the server cannot read: a directory search reports that it skips them.
UNSUPPORTED_SUFFIXES = frozenset((".djvu", ".eps", ".heic", ".heif", ".jxl", ".psd", ".svg", ".svgz", ".xps"))


def is_document_name(name: str) -> bool:
    """Return whether a directory search takes a file of this name.

    Names that begin with `._` belong to macOS: such a file holds the attributes of the file beside it.
    """
    return PurePath(name).suffix.lower() in SUFFIXES and not name.startswith("._")


def looks_like_pdf(file: File) -> bool:
    """Return whether the first kilobyte of a file has the signature of a PDF."""
    return isinstance(file, bytes) and is_pdf(file)


def may_have_pages(file: File) -> bool:
    """Return whether a file is a PDF or TIFF, which may have several pages."""
    return looks_like_pdf(file) or (isinstance(file, bytes) and is_tiff(file))
