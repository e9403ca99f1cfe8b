"""Read the pages of a TIFF. Pillow decodes the common pixel layouts, OpenCV the rare ones.

Pillow rejects or misreads 10, 12 and 14 bits per sample, signed and floating-point samples, extra samples of
grey images, uncompressed YCbCr, and some separate planes. OpenCV decodes these.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping
from contextlib import suppress

import PIL.Image
import PIL.TiffImagePlugin

from tritonocr_backend.core.arrays import Image
from tritonocr_backend.core.errors import InvalidInputError
from tritonocr_backend.core.page_messages import PageWarning
from tritonocr_backend.documents.document import Document, check_pixels
from tritonocr_backend.documents.frames import frame_to_bgr, samples_to_bgr
from tritonocr_backend.documents.opencv_decoder import decode_samples
from tritonocr_backend.documents.orientation import upright
from tritonocr_backend.documents.pages import Page, ReductionOf
from tritonocr_backend.documents.tiff_pages import find_pages, header_for, read_tags

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 256, 257, 258, 259, 262
PLANAR_CONFIGURATION, COLOUR_MAP, SAMPLE_FORMAT = 284, 320, 339
MIN_IS_WHITE, MIN_IS_BLACK, RGB, YCBCR = 0, 1, 2, 6
UNCOMPRESSED = 1
SEPARATE_PLANES = 2
PLANES_OF_OPENCV = ((MIN_IS_BLACK,), (RGB,))
UNSIGNED = 1
MAX_8_BIT = 255
# OpenCV returns a black page of 8-bit samples if its libtiff lacks the codec.
OPENCV_COMPRESSIONS = frozenset({1, 2, 3, 4, 5, 7, 8, 32773, 32946})
PILLOW_COMPRESSIONS = OPENCV_COMPRESSIONS | {6, 32771, 32809, 34925, 50000}
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
        _check_compression(tags, index, PILLOW_COMPRESSIONS)
        stream.seek(0)
        with suppress(PIL.UnidentifiedImageError), PIL.Image.open(stream, formats=("TIFF",)) as image:
            _repair_colour_map(image)
            return upright(image, frame_to_bgr)
    _check_compression(tags, index, OPENCV_COMPRESSIONS)
    large = -(-sum(bits) // BITS_OF_LARGE_PIXELS)
    check_pixels(f"page {index} of the file", height, width, max_pixels // large)
    name = f"page {index} of the TIFF"
    if _has_separate_planes(tags):
        _check_planes(tags, name)
    samples = decode_samples(stream.getbuffer(), name, to_bgr=_has_separate_planes(tags))
    if tags.get(PHOTOMETRIC) == (MIN_IS_WHITE,) and samples.dtype != "uint8":  # OpenCV inverts 8 bits itself
        samples = -samples if samples.dtype.kind == "f" else ~samples
    return samples_to_bgr(samples)


def _check_compression(tags: _Tags, index: int, supported: frozenset[int]) -> None:
    compression = tags.get(COMPRESSION, (UNCOMPRESSED,))[0]
    if compression not in supported:
        raise InvalidInputError(
            f"file: page {index} of the TIFF has compression {compression}, which is not supported for its "
            "pixel layout; expected none, CCITT, LZW, JPEG, Deflate or PackBits",
            "unreadable",
        )


def _has_separate_planes(tags: _Tags) -> bool:
    return tags.get(PLANAR_CONFIGURATION) == (SEPARATE_PLANES,) and len(tags.get(BITS, (1,))) > 1


def _check_planes(tags: _Tags, name: str) -> None:
    """Reject the layouts of separate planes that OpenCV misreads."""
    is_unsigned = set(tags.get(SAMPLE_FORMAT, (UNSIGNED,))) == {UNSIGNED}
    if not is_unsigned or tags.get(PHOTOMETRIC) not in PLANES_OF_OPENCV:
        raise InvalidInputError(f"file: {name} has an unsupported pixel layout", "unreadable")


def _repair_colour_map(image: PIL.Image.Image) -> None:
    """Apply a colour map of 8-bit values. TIFF 6.0 requires 16 bits, so Pillow takes them for black."""
    colours = image.tag_v2.get(COLOUR_MAP) if isinstance(image, PIL.TiffImagePlugin.TiffImageFile) else None
    if colours is not None and image.mode == "P" and 0 < max(colours) <= MAX_8_BIT:
        image.load()
        image.putpalette(bytes(colours), "RGB;L")


def _is_plain(tags: _Tags) -> bool:
    """Return whether Pillow decodes the layout right."""
    bits, formats = tags.get(BITS, (1,)), tags.get(SAMPLE_FORMAT, (UNSIGNED,))
    photometric = tags.get(PHOTOMETRIC, (1,))[0]
    if set(formats) != {UNSIGNED}:
        return False
    is_uncompressed = tags.get(COMPRESSION, (UNCOMPRESSED,)) == (UNCOMPRESSED,)
    if photometric == YCBCR and is_uncompressed:
        return False
    is_grey = photometric in GREY_PHOTOMETRICS
    if _has_separate_planes(tags) and (is_grey or (16 in bits and is_uncompressed)):
        return False
    return set(bits) <= (PLAIN_BITS if is_grey else PLAIN_BITS | {16})
