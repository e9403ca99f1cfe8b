"""Cutting pages from the front of a document."""

from __future__ import annotations

import io
import struct

import pikepdf
import pytest
from PIL import Image

from tritonocr_gateway.jobs.remaining_pages import without_first_pages

GREYS = (10, 20, 30, 40)


def pages(file_format: str, **options: object) -> bytes:
    """Return a document whose pages have the widths 10, 20, 30 and 40."""
    images = [Image.new("L", (grey, 5), grey) for grey in GREYS]
    output = io.BytesIO()
    images[0].save(output, file_format, save_all=True, append_images=images[1:], **options)
    return output.getvalue()


def widths(content: bytes) -> list[int]:
    if content.startswith(b"%PDF"):
        with pikepdf.open(io.BytesIO(content)) as document:
            return [int(page.mediabox[2]) for page in document.pages]
    with Image.open(io.BytesIO(content)) as image:
        found = []
        for index in range(image.n_frames):
            image.seek(index)
            found.append(image.width)
        return found


DOCUMENTS = {
    "PDF": pages("PDF", resolution=72),
    "TIFF": pages("TIFF"),
    "TIFF with large offsets": pages("TIFF", big_tiff=True),
}


@pytest.mark.parametrize("count", range(4))
@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_other_pages_stay(name: str, count: int) -> None:
    rest, cut = without_first_pages(DOCUMENTS[name], count)
    assert (cut, widths(rest)) == (count, list(GREYS[count:]))


def test_a_big_endian_tiff_is_cut_too() -> None:
    directories = [struct.pack(">H", 0) + struct.pack(">I", link) for link in (14, 20, 0)]
    content = b"MM" + struct.pack(">HI", 42, 8) + b"".join(directories)
    assert without_first_pages(content, 2) == (b"MM" + struct.pack(">HI", 42, 20) + content[8:], 2)


@pytest.mark.parametrize(
    ("content", "count"),
    [
        pytest.param(DOCUMENTS["PDF"], 4, id="fewer pages in a PDF"),
        pytest.param(DOCUMENTS["TIFF"], 4, id="fewer pages in a TIFF"),
        pytest.param(b"%PDF-1.7\ndamaged", 1, id="a damaged PDF"),
        pytest.param(b"II*\0\xff\xff\xff\xff", 1, id="a damaged TIFF"),
        pytest.param(b"II\0\0", 1, id="another version of TIFF"),
        pytest.param(pages("PNG"), 1, id="an image"),
        pytest.param(DOCUMENTS["PDF"], 0, id="no page to cut"),
    ],
)
def test_a_document_that_cannot_be_cut_stays_as_it_is(content: bytes, count: int) -> None:
    assert without_first_pages(content, count) == (content, 0)
