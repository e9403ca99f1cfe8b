"""From the bytes of a file to its pages: BGR uint8 images.

Pixels are OpenCV's, as PaddleX's are. Pillow tells formats and sizes from headers, before anything is
decoded, and reads what OpenCV does not (several pages, transparency, GIF, AVIF, JPEG 2000); simplejpeg gives
OpenCV's pixels of a JPEG in half its time, or fewer of them in less; PDFium renders PDFs at 144 dpi, in a
process that is bounded in time and memory.
"""

from __future__ import annotations

import base64
import binascii
import io
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

import cv2
import numpy as np
import PIL.Image
import PIL.ImageOps
import simplejpeg

from tritonocr_backend.core.arrays import Image
from tritonocr_backend.core.errors import InvalidInputError
from tritonocr_backend.documents.jpeg_scans import lacks_scans
from tritonocr_backend.documents.pages import Page, ReductionOf
from tritonocr_backend.documents.pdf_documents import PdfDocument, PdfError, RenderLimits
from tritonocr_backend.documents.tiff_pages import count_pages

PDF_SCALE = 2.0  # 144 dpi
MAX_SIDE_PX = 1_000_000  # libpng's own limit; OpenCV's is hardly larger
# What Pillow may open: it knows more, some of them through other programs.
PILLOW_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM", "JPEG2000", "AVIF")
OPENCV_FORMATS = frozenset({"PNG", "BMP", "PPM"})
READABLE = "a JPEG, PNG, WebP, BMP, TIFF, GIF, PPM, JPEG 2000 or AVIF image or a PDF"
SNIFFED_BYTES = 1024
JPEG_FORMATS = frozenset({"JPEG", "MPO"})
JPEG_MODES = frozenset({"RGB", "L"})  # of CMYK OpenCV makes what it alone makes
EXIF_ORIENTATION = 0x0112
JPEG_SCAN = b"\xff\xda"
JPEG_END = b"\xff\xd9"
JPEG_FILLER = b"\x55" * 64
SIGNATURES = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG": "PNG",
    b"GIF8": "GIF",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"RIFF": "WebP",
}

PIL.Image.MAX_IMAGE_PIXELS = None  # sizes are checked here, against our own limit


@dataclass(frozen=True)
class Document:
    """An opened file.

    Attributes:
        page_count: how many pages the file has.
        read_page: decodes one page, by its index, as much smaller as is wanted; raises InvalidInputError.
        close: frees what the file holds.
    """

    page_count: int
    read_page: Callable[[int, ReductionOf], Page]
    close: Callable[[], None]


def open_document(data: bytes, max_pixels: int, limits: RenderLimits | None = None) -> Document:
    """Tell what a file is and how many pages it has, without decoding them.

    Args:
        data: the file, or base64 text of it with or without a `data:` prefix.
        max_pixels: a page with more is refused before it is decoded.
        limits: what rendering a page of a PDF may cost.

    Raises:
        InvalidInputError: the file is empty, of no readable kind, protected, corrupt or too large.
    """
    if not data:
        raise InvalidInputError(f"file: got 0 bytes, expected {READABLE}", "unreadable")
    data = _without_base64(data)
    if b"%PDF-" in data[:SNIFFED_BYTES] and not data.startswith(tuple(SIGNATURES)):
        return _open_pdf(data, max_pixels, limits or RenderLimits())
    return _open_image(data, max_pixels)


def check_pixels(name: str, height: int, width: int, max_pixels: int) -> None:
    """Raise InvalidInputError where an image is empty, too long or has more than `max_pixels`."""
    if height < 1 or width < 1:
        raise InvalidInputError(f"{name}: got an image of {width}x{height} px, expected at least 1x1")
    if max(height, width) > MAX_SIDE_PX:
        raise InvalidInputError(
            f"{name}: got {width}x{height} px, expected sides of at most {MAX_SIDE_PX} px", "too_large"
        )
    if height * width > max_pixels:
        raise InvalidInputError(
            f"{name}: got {width}x{height} px = {height * width / 1e6:.3g} megapixels, "
            f"expected at most {max_pixels / 1e6:.3g}",
            "too_large",
        )


def _without_base64(data: bytes) -> bytes:
    """Undo the base64 that KServe's JSON needs for binary; other data comes back as it is."""
    text = re.sub(rb"^data:[^,]{0,200},", b"", data)
    # The head of a PPM looks like Base64, and all of one whose numbers are text.
    if not re.match(rb"(?!P[1-7]\s)[A-Za-z0-9+/\s]{16}", text):
        return data
    try:
        return base64.b64decode(re.sub(rb"\s", b"", text), validate=True)
    except binascii.Error:
        return data


def _open_image(data: bytes, max_pixels: int) -> Document:
    try:
        image = PIL.Image.open(io.BytesIO(data), formats=PILLOW_FORMATS)
        # Only a TIFF's frames are pages; of an animation the first frame is the picture.
        page_count = count_pages(data) if image.format == "TIFF" else 1
    except InvalidInputError:
        raise
    except Exception as error:  # each of Pillow's decoders raises what it likes
        raise InvalidInputError(_unreadable(data), "unreadable") from error
    check_pixels("file", image.height, image.width, max_pixels)

    def read_page(index: int, reduction_of: ReductionOf) -> Page:
        if image.format in JPEG_FORMATS:
            return _read_jpeg(image, data, reduction_of)
        if image.format in OPENCV_FORMATS and not image.has_transparency_data and image.mode != "F":
            return Page.reduced(_decode_with_opencv(data, str(image.format)), reduction_of)
        return Page.reduced(_decode_with_pillow(image, index, max_pixels), reduction_of)

    return Document(page_count, read_page, image.close)


def _unreadable(data: bytes) -> str:
    for signature, name in SIGNATURES.items():
        if data.startswith(signature):
            return f"file: the {name} is corrupt or truncated"
    return f"file: got {len(data)} bytes starting with {data[:16].hex(' ')}, expected {READABLE}"


def _decode_with_opencv(data: bytes, image_format: str) -> Image:
    try:
        page = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        if error.code == cv2.Error.StsNoMem:  # the server's fault, not the file's
            raise MemoryError("no memory to decode a page") from error
        page = None
    if page is None:
        raise InvalidInputError(f"file: the {image_format} is corrupt or truncated", "unreadable")
    return np.asarray(page, dtype=np.uint8)


def _read_jpeg(image: PIL.Image.Image, data: bytes, reduction_of: ReductionOf) -> Page:
    size = (image.height, image.width)
    reduction = reduction_of(size)
    orientation = image.getexif().get(EXIF_ORIENTATION, 1) if "exif" in image.info else 1
    if image.mode in JPEG_MODES and orientation in _UPRIGHT:
        height, width = (-(-side // reduction) for side in size) if reduction > 1 else (0, 0)
        # On damage it gives up, and OpenCV reads what there is.
        with suppress(ValueError):
            pixels = simplejpeg.decode_jpeg(data, "BGR", min_height=height, min_width=width)
            upright = np.ascontiguousarray(_UPRIGHT[orientation](pixels))
            return Page(upright, size if orientation < EXIF_TRANSPOSED else size[::-1], reduction)
    return Page.reduced(_decode_jpeg(data), reduction_of)


_UPRIGHT: Mapping[int, Callable[[Image], Image]] = {
    1: lambda pixels: pixels,
    2: np.fliplr,
    3: lambda pixels: np.rot90(pixels, 2),
    4: np.flipud,
    5: lambda pixels: pixels.transpose(1, 0, 2),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: np.rot90(pixels, 2).transpose(1, 0, 2),
    8: np.rot90,
}
"""What makes a picture upright, by EXIF's number."""
EXIF_TRANSPOSED = 5  # from here on height and width change places


def _decode_jpeg(data: bytes) -> Image:
    """Decode a JPEG; one that lacks its end marker is read if no pixel is missing.

    The decoder fills what is missing of a cut file and does not say so. Whether anything was missing shows
    when other bytes stand in its place: they change the picture only if the decoder still needed some. Of
    whole scans that are missing it needs none.
    """
    if data.rfind(JPEG_END) > data.rfind(JPEG_SCAN):
        return _decode_with_opencv(data, "JPEG")
    data = data.rstrip(b"\xff")
    page = _decode_with_opencv(data + JPEG_END, "JPEG")
    filled = _decode_with_opencv(data + JPEG_FILLER + JPEG_END, "JPEG")
    if lacks_scans(data) or not np.array_equal(page, filled):
        raise InvalidInputError("file: the JPEG is truncated", "unreadable")
    return page


def _decode_with_pillow(image: PIL.Image.Image, index: int, max_pixels: int) -> Image:
    """Decode one frame: upright by its EXIF orientation, transparency on white, 16 bits to 8."""
    try:
        image.seek(index)
        check_pixels(f"page {index} of the file", image.height, image.width, max_pixels)
        if image.mode in ("I", "F"):
            raise InvalidInputError(
                f"file: got a {image.format} of 32-bit pixels (mode {image.mode}), "
                "expected 8 or 16 bits a channel",
                "unreadable",
            )
        return _to_bgr(PIL.ImageOps.exif_transpose(image))
    except (InvalidInputError, MemoryError):
        raise
    except Exception as error:  # each of Pillow's decoders raises what it likes
        message = f"file: the {image.format} is corrupt or truncated ({error})"
        raise InvalidInputError(message, "unreadable") from error


def _to_bgr(frame: PIL.Image.Image) -> Image:
    if frame.mode.startswith("I;16"):
        frame = PIL.Image.fromarray((np.asarray(frame) >> 8).astype(np.uint8))
    if frame.has_transparency_data:
        rgba = frame.convert("RGBA")
        frame = PIL.Image.new("RGBA", rgba.size, "white")
        frame.alpha_composite(rgba)
    return np.ascontiguousarray(np.asarray(frame.convert("RGB"))[:, :, ::-1])


def _open_pdf(data: bytes, max_pixels: int, limits: RenderLimits) -> Document:
    try:
        pdf = PdfDocument(data, limits)
    except PdfError as error:
        if "password" in str(error).lower():
            raise InvalidInputError(
                "file: the PDF is protected by a password, expected one without", "protected"
            ) from error
        message = f"file: the PDF is corrupt or has no pages ({error})"
        raise InvalidInputError(message, "unreadable") from error

    def read_page(index: int, reduction_of: ReductionOf) -> Page:
        return Page.reduced(_render_pdf_page(pdf, index, max_pixels), reduction_of)

    return Document(pdf.page_count, read_page, pdf.close)


def _render_pdf_page(pdf: PdfDocument, index: int, max_pixels: int) -> Image:
    try:
        width, height = (max(round(side * PDF_SCALE), 1) for side in pdf.size(index))
        check_pixels(f"page {index} of the PDF at 144 dpi", height, width, max_pixels)
        return pdf.render(index, PDF_SCALE, height * width)
    except PdfError as error:
        message = f"file: page {index} of the PDF is corrupt ({error})"
        raise InvalidInputError(message, "unreadable") from error
