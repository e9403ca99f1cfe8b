"""Draw test files: one picture in every format, mode and orientation, and small PDFs."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
    """Return an RGB picture of 96 x 96 px whose pixels all differ, so that missing parts are visible."""
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
    """Return the picture stored rotated, with the EXIF orientation."""
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


@dataclass(frozen=True)
class TiffPage:
    """A page of `tiff`: one uncompressed strip, and the tags that describe it (TIFF 6.0, section 8).

    Attributes:
        strip: the packed samples.
        width: pixels per row.
        height: rows.
        bits: bits per sample, one number per sample.
        photometric: 0 min-is-white, 1 min-is-black, 2 RGB, 3 palette, 5 CMYK.
        tags: more tags by number, each with its values; a tag of the list above is replaced.
    """

    strip: bytes
    width: int
    height: int
    bits: tuple[int, ...] = (8,)
    photometric: int = 1
    tags: Mapping[int, tuple[int, ...]] = field(default_factory=dict)


def tiff(*pages: TiffPage, last_link: int | None = 0) -> bytes:
    """Return a little-endian TIFF of these pages.

    Args:
        pages: its pages.
        last_link: the link of the last directory; None leaves it out, so that the file ends too early.
    """
    file = bytearray(b"II*\0\0\0\0\0")
    link_at = 4
    for page in pages:
        strip_at = len(file)
        file += page.strip + bytes(len(page.strip) % 2)
        tags: dict[int, tuple[int, ...]] = {
            256: (page.width,),
            257: (page.height,),
            258: page.bits,
            259: (1,),
            262: (page.photometric,),
            273: (strip_at,),
            277: (len(page.bits),),
            278: (page.height,),
            279: (len(page.strip),),
            **page.tags,
        }
        entries = b""
        for tag, values in sorted(tags.items()):
            kind, letter = (3, "H") if tag in (258, 320, 338, 339, 530) else (4, "I")
            content = struct.pack(f"<{len(values)}{letter}", *values)
            if len(content) > 4:
                content, at = b"", len(file)
                file += struct.pack(f"<{len(values)}{letter}", *values)
                content = struct.pack("<I", at)
            entries += struct.pack("<HHI", tag, kind, len(values)) + content.ljust(4, b"\0")
        struct.pack_into("<I", file, link_at, len(file))
        file += struct.pack("<H", len(tags)) + entries
        link_at = len(file)
        file += bytes(4)
    if last_link is None:
        return bytes(file[:link_at])
    struct.pack_into("<I", file, link_at, last_link)
    return bytes(file)


def rgb_tiff_page(**tags: tuple[int, ...]) -> TiffPage:
    """Return `picture()` as a page; `tags` are named `tag_NUMBER`."""
    pixels = np.asarray(picture())
    numbered = {int(name.removeprefix("tag_")): values for name, values in tags.items()}
    return TiffPage(pixels.tobytes(), 64, 48, (8, 8, 8), 2, numbered)


def tiff_with_a_bad_page() -> bytes:
    """Return a TIFF of three pages; the pixels of the second are outside the file."""
    return tiff(rgb_tiff_page(), rgb_tiff_page(tag_273=(10**6,)), rgb_tiff_page())
