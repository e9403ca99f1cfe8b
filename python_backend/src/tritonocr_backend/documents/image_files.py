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
from tritonocr_backend.documents.jpeg_scans import is_lossless, unsupported_coding
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
JPEG_SIGNATURE = b"\xff\xd8\xff"
BMP_HEADER_BYTES = frozenset({12, 16, 40, 52, 56, 64, 108, 124})
SIGNATURES = {
    JPEG_SIGNATURE: "JPEG",
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
        if image.format in JPEG_FORMATS and not is_lossless(data):
            return read_jpeg(image, data, reduction_of)
        if image.format in OPENCV_FORMATS and not image.has_transparency_data:
            return Page.reduced(_decode_with_opencv(data, str(image.format)), reduction_of)
        return Page.reduced(_decode_with_pillow(data, str(image.format)), reduction_of)

    return Document(1, read_page, image.close)


def _unreadable(data: bytes) -> str:
    if data.startswith(JPEG_SIGNATURE) and (coding := unsupported_coding(data)):
        return f"file: got {coding}, which is not supported; expected a JPEG of 8 bits per sample"
    if _is_bmp(data):
        return "file: the BMP is corrupt, truncated or has an unsupported pixel layout"
    for signature, name in SIGNATURES.items():
        if data.startswith(signature):
            return f"file: the {name} is corrupt or truncated"
    return f"file: got {len(data)} bytes starting with {data[:16].hex(' ')}, expected {READABLE}"


def _is_bmp(data: bytes) -> bool:
    """Return whether the data has the signature of a BMP and a header of a known size."""
    return data.startswith(b"BM") and int.from_bytes(data[14:18], "little") in BMP_HEADER_BYTES


def _decode_with_opencv(data: bytes, image_format: str) -> Image:
    try:
        return decode_with_opencv(data, image_format)
    except InvalidInputError:
        if image_format != "BMP":
            raise
        return _decode_with_pillow(data, image_format)  # OpenCV rejects 16 bits below a header of 108 bytes


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
