"""Small files that need much computing, memory, many pages, or a second decoding."""

from __future__ import annotations

import base64
import gzip
import io
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Mapping, Sequence

import PIL.Image

MIB = 1 << 20


def pdf(objects: Sequence[bytes]) -> bytes:
    """A PDF of these objects, of which the first is the catalogue."""
    file, offsets = bytearray(b"%PDF-1.7\n"), []
    for number, content in enumerate(objects, 1):
        offsets.append(len(file))
        file += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    start = len(file)
    file += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    file += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    file += b"trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, start)
    return bytes(file)


def stream(content: bytes, entries: bytes = b"", *, packed: int = 0) -> bytes:
    """A stream, packed so many times over."""
    for _ in range(packed):
        content = zlib.compress(content, 9)
    names = b"/Filter[%s]" % (b"/FlateDecode" * packed) if packed else b""
    return b"<<%s%s/Length %d>>\nstream\n%s\nendstream" % (entries, names, len(content), content)


def pdf_page(content: bytes, resources: bytes = b"", objects: Sequence[bytes] = ()) -> bytes:
    """A PDF of one page; `objects` are numbered from 5."""
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<<%s>>>>" % resources
    pages = b"<</Type/Pages/Kids[3 0 R]/Count 1>>"
    return pdf([b"<</Type/Catalog/Pages 2 0 R>>", pages, page, content, *objects])


_FORM = b"/Type/XObject/Subtype/Form/BBox[0 0 612 792]"


def pdf_forms_within_forms(depth: int = 12, times: int = 10) -> bytes:
    """Each form draws the next one ten times: 10^11 lines out of 2 kB."""
    forms = [
        stream(b"/F Do " * times, _FORM + b"/Resources<</XObject<</F %d 0 R>>>>" % (6 + level))
        for level in range(depth - 1)
    ]
    return pdf_page(stream(b"/F Do"), b"/XObject<</F 5 0 R>>", [*forms, stream(b"0 0 m 600 700 l S", _FORM)])


def _text_page(content: bytes, objects: Sequence[bytes] = (), resources: bytes = b"") -> bytes:
    """Return a PDF page whose font is object 5 and named /F; `objects` are numbered from 6."""
    font = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"
    return pdf_page(stream(content, packed=1), b"/Font<</F 5 0 R>>" + resources, [font, *objects])


def pdf_characters(count: int = 2_000_000) -> bytes:
    """Return a page with lines of 500 characters, one above the other: 2 million characters in 10 kB."""
    return _text_page(
        b"BT /F 0.1 Tf 0.19 TL 10 780 Td " + b"(%s) Tj T*\n" % (b"word " * 100) * (count // 500)
    )


def pdf_lines_of_one_character(count: int = 200_000) -> bytes:
    """Return a page with a grid of characters that are too far apart for words and lines."""
    row = b"".join(b"%g 0 Td (a) Tj " % (0 if column == 0 else 1.2) for column in range(400))
    return _text_page(b"BT /F 0.3 Tf 10 790 Td " + (row + b"-478.8 -1.2 Td\n") * (count // 400))


def pdf_texts_within_forms(depth: int = 8, times: int = 10) -> bytes:
    """Return a page whose forms draw the next form ten times each, and the last one draws a text."""
    forms = [
        stream(b"/X Do " * times, _FORM + b"/Resources<</XObject<</X %d 0 R>>>>" % (7 + level))
        for level in range(depth - 1)
    ]
    text = stream(b"BT /F 9 Tf 50 50 Td (text) Tj ET", _FORM + b"/Resources<</Font<</F 5 0 R>>>>")
    return _text_page(b"/X Do", [*forms, text], b"/XObject<</X 6 0 R>>")


def pdf_empty_forms_within_forms(depth: int = 8, times: int = 40) -> bytes:
    """Return a page with 40^8 forms, none of which draws anything."""
    forms = [
        stream(b"/X Do " * times, _FORM + b"/Resources<</XObject<</X %d 0 R>>>>" % (7 + level))
        for level in range(depth - 1)
    ]
    return _text_page(b"/X Do", [*forms, stream(b"", _FORM)], b"/XObject<</X 6 0 R>>")


def pdf_form_within_itself() -> bytes:
    form = stream(b"/F Do", _FORM + b"/Resources<</XObject<</F 5 0 R>>>>")
    return pdf_page(stream(b"/F Do"), b"/XObject<</F 5 0 R>>", [form])


def pdf_packed_twice(size: int = 400 * MIB) -> bytes:
    """Return a page whose content is 400 MB of blanks, in 1 kB."""
    packed, packer = bytearray(), zlib.compressobj(9)
    for _ in range(size // MIB):
        packed += packer.compress(b" " * MIB)
    packed += packer.flush()
    return pdf_page(stream(bytes(packed), packed=1).replace(b"[/FlateDecode]", b"[/FlateDecode/FlateDecode]"))


def pdf_curves(count: int = 100_000) -> bytes:
    return pdf_page(stream(b"0 0 m 600 700 l 10 500 300 20 400 700 c S\n" * count, packed=1))


def pdf_fine_pattern() -> bytes:
    """A page filled with a pattern of a thousandth of a point."""
    entries = b"/Type/Pattern/PatternType 1/PaintType 1/TilingType 1/BBox[0 0 1 1]/XStep 0.001/YStep 0.001"
    pattern = stream(b"0 0 m 1 1 l S", entries + b"/Resources<<>>")
    return pdf_page(stream(b"/Pattern cs /P scn 0 0 612 792 re f"), b"/Pattern<</P 5 0 R>>", [pattern])


def pdf_nested_arrays(depth: int = 100_000) -> bytes:
    return pdf_page(stream(b"[" * depth + b"]" * depth + b" TJ"))


def pdf_page_tree_in_a_circle() -> bytes:
    pages = b"<</Type/Pages/Kids[2 0 R 3 0 R]/Count 1000000>>"
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]>>"
    return pdf([b"<</Type/Catalog/Pages 2 0 R>>", pages, page])


def pdf_of_pages(count: int) -> bytes:
    pages = b"<</Type/Pages/Kids[%s]/Count %d>>" % (b"3 0 R " * count, count)
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]>>"
    return pdf([b"<</Type/Catalog/Pages 2 0 R>>", pages, page])


def pdf_of_size(points: int) -> bytes:
    return pdf_page(stream(b"")).replace(b"612 792", b"%d %d" % (points, points))


def tiff_of_pages(count: int, *, circle: bool = False) -> bytes:
    """Pages of one pixel each; in a circle the last one leads back to the first."""
    tags = [
        (256, 3, 1),
        (257, 3, 1),
        (258, 3, 8),
        (259, 3, 1),
        (262, 3, 1),
        (273, 4, 8),
        (278, 3, 1),
        (279, 4, 1),
    ]
    directory = struct.pack("<H", 8) + b"".join(
        struct.pack("<HHII", tag, kind, 1, n) for tag, kind, n in tags
    )
    links = [8 + (len(directory) + 4) * number for number in range(1, count)] + [8 if circle else 0]
    return struct.pack("<4sI", b"II*\0", 8) + b"".join(directory + struct.pack("<I", link) for link in links)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int) -> bytes:
    """A blank PNG of one bit a pixel: 121 megapixels are 15 kB."""
    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(1 + -(-width // 8))) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    signature = b"\x89PNG\r\n\x1a\n"
    return signature + _chunk(b"IHDR", header) + _chunk(b"IDAT", rows) + _chunk(b"IEND", b"")


def png_of_texts(mebibytes: int = 200) -> bytes:
    """A small picture with packed texts beside it."""
    text = _chunk(b"zTXt", b"c\0\0" + zlib.compress(bytes(MIB), 9))
    small = png(64, 64)
    return small[:33] + text * mebibytes + small[33:]


def png_of_damaged_chunks(count: int) -> bytes:
    """Return a small PNG with so many empty chunks of text, whose checksums are wrong."""
    small = png(64, 64)
    return small[:33] + b"\0\0\0\0tEXt\0\0\0\0" * count + small[33:]


def animation(image_format: str, frames: int = 40) -> bytes:
    """Many frames, of which the first is the picture."""
    file = io.BytesIO()
    more = [PIL.Image.new("RGB", (400, 400), (number % 2 * 255, 0, 0)) for number in range(frames)]
    PIL.Image.new("RGB", (400, 400), "white").save(file, image_format, save_all=True, append_images=more)
    return file.getvalue()


def tarred(files: Mapping[str, bytes]) -> bytes:
    """A tar archive of these files."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return file.getvalue()


def packed(size: int = 64 * MIB) -> dict[str, bytes]:
    """Archives, which are no files to read."""
    tarred, zipped = io.BytesIO(), io.BytesIO()
    with tarfile.open(fileobj=tarred, mode="w:gz") as archive:
        member = tarfile.TarInfo("page.png")
        member.size = size
        archive.addfile(member, io.BytesIO(bytes(size)))
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive_:
        archive_.writestr("page.png", bytes(size))
    return {"tar.gz": tarred.getvalue(), "zip": zipped.getvalue(), "gzip": gzip.compress(bytes(size))}


def base64_of_base64(content: bytes) -> bytes:
    return base64.b64encode(base64.b64encode(content))
