"""Open image files. Pillow reads the header; simplejpeg, OpenCV or Pillow decodes the pixels.

OpenCV decodes the simple formats, as in PaddleX. Pillow decodes what OpenCV cannot or misreads:
transparency, GIF, AVIF, JPEG 2000 and PPM. `tiff_files` reads TIFFs.
"""

from __future__ import annotations

import io

import PIL.Image

from tritonocr_backend.core.arrays import Image
from tritonocr_backend.core.errors import InvalidInputError
from tritonocr_backend.documents.document import READABLE, Document, check_pixels
from tritonocr_backend.documents.frames import frame_to_bgr
from tritonocr_backend.documents.jpeg_files import read_jpeg
from tritonocr_backend.documents.opencv_decoder import decode_with_opencv
from tritonocr_backend.documents.orientation import upright
from tritonocr_backend.documents.pages import Page, ReductionOf
from tritonocr_backend.documents.png_repair import repair_png
from tritonocr_common.file_formats import TIFF_SIGNATURES

# Pillow supports more formats, some of them by starting other programs (EPS starts Ghostscript).
PILLOW_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "PPM", "JPEG2000", "AVIF")
OPENCV_FORMATS = frozenset({"PNG", "BMP"})
HUNGRY_FORMATS = frozenset({"WEBP", "JPEG2000", "AVIF"})
"""Their decoders need 15 to 18 bytes per pixel: half the pixels are allowed."""
JPEG_FORMATS = frozenset({"JPEG", "MPO"})
PNG_SIGNATURE = b"\x89PNG"
SIGNATURES = {
    b"\xff\xd8\xff": "JPEG",
    PNG_SIGNATURE: "PNG",
    b"GIF8": "GIF",
    **dict.fromkeys(TIFF_SIGNATURES, "TIFF"),
    b"RIFF": "WebP",
}

PIL.Image.MAX_IMAGE_PIXELS = None  # check_pixels enforces the configured limit instead


def open_image(data: bytes, max_pixels: int) -> Document:
    """Open an image file of one page; see `decode.open_document`. The frames of an animation are not pages.

    Raises:
        InvalidInputError: the file is corrupt, too large or of an unsupported format.
    """
    if data.startswith(PNG_SIGNATURE):
        data = repair_png(data)
    try:
        image = PIL.Image.open(io.BytesIO(data), formats=PILLOW_FORMATS)
    except Exception as error:  # Pillow's decoders raise many types of exception
        raise InvalidInputError(_unreadable(data), "unreadable") from error
    allowed = max_pixels // 2 if image.format in HUNGRY_FORMATS else max_pixels
    check_pixels("file", image.height, image.width, allowed)

    def read_page(index: int, reduction_of: ReductionOf) -> Page:
        if image.format in JPEG_FORMATS:
            return read_jpeg(image, data, reduction_of)
        if image.format in OPENCV_FORMATS and not image.has_transparency_data:
            return Page.reduced(decode_with_opencv(data, str(image.format)), reduction_of)
        return Page.reduced(_decode_with_pillow(data, str(image.format)), reduction_of)

    return Document(1, read_page, image.close)


def _unreadable(data: bytes) -> str:
    for signature, name in SIGNATURES.items():
        if data.startswith(signature):
            return f"file: the {name} is corrupt or truncated"
    return f"file: got {len(data)} bytes starting with {data[:16].hex(' ')}, expected {READABLE}"


def _decode_with_pillow(data: bytes, image_format: str) -> Image:
    """Decode an image from its bytes: a decoded Pillow image would be held as long as the document."""
    try:
        with PIL.Image.open(io.BytesIO(data), formats=PILLOW_FORMATS) as image:
            return upright(image, frame_to_bgr)
    except MemoryError:
        raise
    except Exception as error:  # Pillow's decoders raise many types of exception
        message = f"file: the {image_format} is corrupt or truncated ({error})"
        raise InvalidInputError(message, "unreadable") from error
