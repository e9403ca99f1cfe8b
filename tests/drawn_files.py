"""Files that the tests draw themselves: one picture in every format, mode and orientation, and small PDFs."""

from __future__ import annotations

import io
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray

EXIF_ORIENTATION = 0x0112
# What turns an upright picture into the stored one that a viewer turns back by this EXIF orientation.
STORED_FOR_ORIENTATION = {
    1: None,
    2: PIL.Image.Transpose.FLIP_LEFT_RIGHT,
    3: PIL.Image.Transpose.ROTATE_180,
    4: PIL.Image.Transpose.FLIP_TOP_BOTTOM,
    5: PIL.Image.Transpose.TRANSPOSE,
    6: PIL.Image.Transpose.ROTATE_90,
    7: PIL.Image.Transpose.TRANSVERSE,
    8: PIL.Image.Transpose.ROTATE_270,
}


def picture() -> PIL.Image.Image:
    """RGB, 64 x 48 px, a different colour in each quarter: no two orientations of it look alike."""
    pixels = np.empty((48, 64, 3), np.uint8)
    pixels[:16, :32], pixels[:16, 32:] = (230, 30, 40), (30, 200, 60)
    pixels[16:, :32], pixels[16:, 32:] = (20, 60, 220), (250, 250, 240)
    return PIL.Image.fromarray(pixels)


def noise() -> PIL.Image.Image:
    """RGB, 96 x 96 px, every pixel different, so that what is missing of it shows."""
    pixels = np.random.default_rng(0).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    return PIL.Image.fromarray(pixels)


def bgr(image: PIL.Image.Image) -> NDArray[np.uint8]:
    """The pixels that reading the picture must give."""
    return np.asarray(image.convert("RGB"))[:, :, ::-1]


def encode(image: PIL.Image.Image, image_format: str, **options: Any) -> bytes:
    """The picture as a file."""
    file = io.BytesIO()
    image.save(file, image_format, **options)
    return file.getvalue()


def turned(image_format: str, orientation: int, **options: Any) -> bytes:
    """The picture stored turned, with the EXIF orientation that says so."""
    method = STORED_FOR_ORIENTATION[orientation]
    stored = picture() if method is None else picture().transpose(method)
    exif = PIL.Image.Exif()
    exif[EXIF_ORIENTATION] = orientation
    return encode(stored, image_format, exif=exif, **options)


def png_header_alone(width: int, height: int) -> bytes:
    """A PNG that ends after its header: whoever tries to decode it fails."""
    header = b"IHDR" + width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 2, 0, 0, 0])
    checked = header + zlib.crc32(header).to_bytes(4, "big")
    return b"\x89PNG\r\n\x1a\n\0\0\0\x0d" + checked + b"\0\0\0\x0aIDAT"


def bmp_header_alone(width: int, height: int) -> bytes:
    """A BMP without its pixels."""
    sizes = width.to_bytes(4, "little") + height.to_bytes(4, "little")
    info = (40).to_bytes(4, "little") + sizes + b"\1\0\x18\0" + bytes(24)
    return b"BM" + (54).to_bytes(4, "little") + bytes(4) + (54).to_bytes(4, "little") + info


def pdf(pages: Sequence[tuple[int, int, int]]) -> bytes:
    """A PDF of pages (width in points, height in points, rotation); the lower left 10 x 10 of each is red."""
    content = b"1 0 0 rg 0 0 10 10 re f"
    kids = " ".join(f"{3 + i} 0 R" for i in range(len(pages)))
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        f"<</Type/Pages/Kids[{kids}]/Count {len(pages)}>>".encode(),
        *(
            f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 {width} {height}]/Rotate {rotation}"
            f"/Contents {3 + len(pages)} 0 R>>".encode()
            for width, height, rotation in pages
        ),
        b"<</Length %d>>stream\n%s\nendstream" % (len(content), content),
    ]
    body = b"".join(b"%d 0 obj%s endobj\n" % (i, text) for i, text in enumerate(objects, 1))
    return b"%PDF-1.4\n" + body + b"trailer<</Root 1 0 R/Size %d>>\n%%%%EOF" % (len(objects) + 1)
