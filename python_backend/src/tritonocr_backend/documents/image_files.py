"""Open image files. Pillow reads the header; simplejpeg, OpenCV or Pillow decodes the pixels.

OpenCV decodes the simple formats, as in PaddleX. Pillow decodes what OpenCV cannot: multi-page TIFF,
transparency, GIF, AVIF and JPEG 2000.
"""

from __future__ import annotations

import io

import PIL.Image
import PIL.ImageOps

from tritonocr_backend.core.arrays import Image
from tritonocr_backend.core.errors import InvalidInputError
from tritonocr_backend.documents.document import READABLE, Document, check_pixels
from tritonocr_backend.documents.frames import frame_to_bgr
from tritonocr_backend.documents.jpeg_files import read_jpeg
from tritonocr_backend.documents.opencv_decoder import decode_with_opencv
from tritonocr_backend.documents.pages import Page, ReductionOf
from tritonocr_backend.documents.tiff_pages import count_pages

# Pillow supports more formats, some of them by starting other programs (EPS starts Ghostscript).
PILLOW_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM", "JPEG2000", "AVIF")
OPENCV_FORMATS = frozenset({"PNG", "BMP", "PPM"})
JPEG_FORMATS = frozenset({"JPEG", "MPO"})
SIGNATURES = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG": "PNG",
    b"GIF8": "GIF",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"RIFF": "WebP",
}

PIL.Image.MAX_IMAGE_PIXELS = None  # check_pixels enforces the configured limit instead


def open_image(data: bytes, max_pixels: int) -> Document:
    """Open an image file; see `decode.open_document`. Only a TIFF has more than one page.

    Raises:
        InvalidInputError: the file is corrupt, too large or of an unsupported format.
    """
    try:
        image = PIL.Image.open(io.BytesIO(data), formats=PILLOW_FORMATS)
        # The frames of an animation are not pages: the first frame is the image.
        page_count = count_pages(data) if image.format == "TIFF" else 1
    except InvalidInputError:
        raise
    except Exception as error:  # Pillow's decoders raise many types of exception
        raise InvalidInputError(_unreadable(data), "unreadable") from error
    check_pixels("file", image.height, image.width, max_pixels)

    def read_page(index: int, reduction_of: ReductionOf) -> Page:
        if image.format in JPEG_FORMATS:
            return read_jpeg(image, data, reduction_of)
        if image.format in OPENCV_FORMATS and not image.has_transparency_data and image.mode != "F":
            return Page.reduced(decode_with_opencv(data, str(image.format)), reduction_of)
        return Page.reduced(_decode_with_pillow(image, index, max_pixels), reduction_of)

    return Document(page_count, read_page, image.close)


def _unreadable(data: bytes) -> str:
    for signature, name in SIGNATURES.items():
        if data.startswith(signature):
            return f"file: the {name} is corrupt or truncated"
    return f"file: got {len(data)} bytes starting with {data[:16].hex(' ')}, expected {READABLE}"


def _decode_with_pillow(image: PIL.Image.Image, index: int, max_pixels: int) -> Image:
    """Decode one frame and apply its EXIF orientation."""
    try:
        image.seek(index)
        check_pixels(f"page {index} of the file", image.height, image.width, max_pixels)
        if image.mode in ("I", "F"):
            raise InvalidInputError(
                f"file: got a {image.format} of 32-bit pixels (mode {image.mode}), "
                "expected 8 or 16 bits a channel",
                "unreadable",
            )
        return frame_to_bgr(PIL.ImageOps.exif_transpose(image))
    except (InvalidInputError, MemoryError):
        raise
    except Exception as error:  # Pillow's decoders raise many types of exception
        page = f"page {index} of the TIFF" if image.format == "TIFF" else f"the {image.format}"
        message = f"file: {page} is corrupt or truncated ({error})"
        raise InvalidInputError(message, "unreadable") from error
