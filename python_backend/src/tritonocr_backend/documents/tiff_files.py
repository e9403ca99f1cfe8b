"""Read the pages of a TIFF. Pillow decodes the common pixel layouts, OpenCV the rare ones.

OpenCV decodes 10, 12 and 14 bits per sample, signed and floating-point samples, and extra samples of grey
images, all of which Pillow rejects or misreads.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping
from contextlib import suppress

import PIL.Image

from tritonocr_backend.core.arrays import Image
from tritonocr_backend.core.errors import InvalidInputError
from tritonocr_backend.core.page_messages import PageWarning
from tritonocr_backend.documents.document import Document, check_pixels
from tritonocr_backend.documents.frames import frame_to_bgr, samples_to_bgr
from tritonocr_backend.documents.opencv_decoder import decode_samples
from tritonocr_backend.documents.orientation import upright
from tritonocr_backend.documents.pages import Page, ReductionOf
from tritonocr_backend.documents.tiff_pages import find_pages, header_for, read_tags

WIDTH, HEIGHT, BITS, PHOTOMETRIC, SAMPLE_FORMAT = 256, 257, 258, 262, 339
MIN_IS_WHITE = 0
UNSIGNED = 1
PLAIN_BITS = frozenset({1, 2, 4, 8, 32})
GREY_PHOTOMETRICS = frozenset({0, 1})
BITS_OF_LARGE_PIXELS = 64  # beyond it a pixel counts as several, so that memory stays bounded

_Tags = Mapping[int, tuple[int, ...]]


def open_tiff(data: bytes, max_pixels: int) -> Document:
    """Open a TIFF; see `decode.open_document`.

    Raises:
        InvalidInputError: the TIFF is corrupt or has too many pages.
    """
    try:
        pages = find_pages(data)
    except struct.error as error:
        raise InvalidInputError("file: the TIFF is corrupt or truncated", "unreadable") from error
    stream = io.BytesIO(data)
    if not pages.is_complete:
        stream.seek(0, io.SEEK_END)
        stream.write(bytes(8))  # Pillow requires the link that the last directory lacks
    last = len(pages.offsets) - 1

    def read_page(index: int, reduction_of: ReductionOf) -> Page:
        """Decode one page; see `Document.read_page`."""
        directory = pages.offsets[index]
        stream.seek(0)
        stream.write(header_for(data, directory))
        try:
            pixels = _decode(stream, read_tags(data, directory), index, max_pixels)
        except (InvalidInputError, MemoryError):
            raise
        except Exception as error:  # Pillow's decoders raise many types of exception
            message = f"file: page {index} of the TIFF is corrupt or truncated ({error})"
            raise InvalidInputError(message, "unreadable") from error
        is_cut = index == last and not pages.is_complete
        return Page.reduced(pixels, reduction_of, (_pages_missing(index),) if is_cut else ())

    return Document(len(pages.offsets), read_page, lambda: None)


def _pages_missing(index: int) -> PageWarning:
    return PageWarning(
        "pages_missing",
        f"The TIFF is damaged after page {index}: the link to the next page leads out of the file, "
        "so pages may be missing.",
    )


def _decode(stream: io.BytesIO, tags: _Tags, index: int, max_pixels: int) -> Image:
    """Decode the first page of the stream, upright."""
    height, width = tags[HEIGHT][0], tags[WIDTH][0]
    bits = tags.get(BITS, (1,))
    check_pixels(f"page {index} of the file", height, width, max_pixels)
    if _is_plain(tags):
        stream.seek(0)
        with suppress(PIL.UnidentifiedImageError), PIL.Image.open(stream, formats=("TIFF",)) as image:
            return upright(image, frame_to_bgr)
    large = -(-sum(bits) // BITS_OF_LARGE_PIXELS)
    check_pixels(f"page {index} of the file", height, width, max_pixels // large)
    samples = decode_samples(stream.getbuffer(), f"page {index} of the TIFF")
    if tags.get(PHOTOMETRIC) == (MIN_IS_WHITE,) and samples.dtype != "uint8":  # OpenCV inverts 8 bits itself
        samples = -samples if samples.dtype.kind == "f" else ~samples
    return samples_to_bgr(samples)


def _is_plain(tags: _Tags) -> bool:
    """Return whether Pillow decodes the layout right."""
    bits, formats = tags.get(BITS, (1,)), tags.get(SAMPLE_FORMAT, (UNSIGNED,))
    if set(formats) != {UNSIGNED}:
        return False
    is_grey = tags.get(PHOTOMETRIC, (1,))[0] in GREY_PHOTOMETRICS
    return set(bits) <= (PLAIN_BITS if is_grey else PLAIN_BITS | {16})
