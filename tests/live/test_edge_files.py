"""Difficult files, each with its expected result: lines, no lines, or one clear error."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tritonocr import InvalidInputError, OCRClient
from tritonocr_backend.server.embedded import EmbeddedServer

PLAIN: dict[str, Any] = {
    "use_doc_orientation_classify": False,
    "use_doc_unwarping": False,
    "use_textline_orientation": False,
}
HELLO = ["Hello World 12345", "Second line ABC"]


@dataclass(frozen=True)
class Read:
    """The file is read.

    Attributes:
        lines: texts of the first page; None: any.
        page_count: pages of the file.
        line_count: lines of the first page; None: any.
        warnings: codes of the warnings of all pages that are read.
    """

    lines: list[str] | None
    page_count: int = 1
    line_count: int | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Refused:
    """The file is rejected with a sentence that matches."""

    sentence: str


def each(names: str, outcome: Read | Refused) -> dict[str, Read | Refused]:
    """Return the same outcome for each of the files."""
    return dict.fromkeys(names.split(), outcome)


NOT_READABLE = Refused("got .* bytes starting with .*, expected a JPEG, PNG")
TOO_LARGE = Refused(r"megapixels, expected at most 134")

EXPECTED: dict[str, Read | Refused] = {
    # Any pixel format and orientation reads like its plain twin.
    **each(
        """00_base_rgb.png 01_base.jpg 20_1bit.png 20_gray8.jpg 20_gray8.png 20_grayalpha.png
        20_palette.png 21_rgba_black_on_transparent_white.png 21_rgba_opaque.png 22_gray16.png
        22_gray16.tiff 22_rgb16.png 22_rgb16.tiff 23_exif3.jpg 23_exif3.png 23_exif3.tiff 23_exif6.jpg
        23_exif6.png 23_exif6.tiff 23_exif8.jpg 23_exif8.png 23_exif8.tiff 24_cmyk.jpg 24_cmyk.tiff
        24_progressive.jpg 24_ycbcr.jpg 40.bmp 40.jp2 40.ppm 40.tiff 40.webp 40.avif 40_static.gif
        40_anim.gif 40_anim.webp""",
        Read(HELLO),
    ),
    # The file's name does not matter: it may state another format than the content, or none.
    **each(
        """41_UPPER.PNG 41_gif_named.png 41_nosuffix 41_png_named.jpg 41_png_named.tiff 41_tiff_named.png
        41_webp_named.png""",
        Read(HELLO),
    ),
    "41_with space 中文.png": Read(HELLO),
    # Transparency is white: black text on a transparent page is read, white text is not there.
    "21_rgba_black_on_transparent_black.png": Read(HELLO),
    "21_rgba_white_on_transparent_white.png": Read([]),
    # Scanners omit the end marker; a page with missing pixels is rejected.
    "30_truncated_lastbyte.jpg": Read(HELLO),
    "30_truncated_half.jpg": Refused("the JPEG is truncated"),
    "30_truncated_half.png": Refused("the PNG is corrupt or truncated"),
    "30_truncated_100b.jpg": Refused("the JPEG is corrupt or truncated"),
    "corrupt_truncated.jpg": Refused("the JPEG is corrupt or truncated"),
    "30_bitflip.png": Refused("the PNG is corrupt or truncated"),
    # No picture at all.
    **each("""31_empty.jpg 60_empty.pdf zero_byte.bin""", Refused("The file is empty|got 0 bytes")),
    **each(
        """31_random.png 31_svg.png 31_textfile.jpg 60_garbage.pdf garbage_random.bin
        single_pixel_pixels.bgr""",
        NOT_READABLE,
    ),
    # Nothing to read is no error.
    **each(
        """10_black_1x1.png 10_white_100x1.png 10_white_16x16.png 10_white_1x1.png 10_white_1x100.png
        10_white_2000x3.png 10_white_2x2.png 10_white_31x31.png 10_white_32x32.png 10_white_3x2000.png
        10_white_5x5.png 11_blank_black.png 11_blank_white.png
        22_gray16_lowrange_0_255.png one_pixel.png 60_tinypage.pdf whitespace_only.pdf""",
        Read([]),
    ),
    # Detection finds the line, which is too small to be recognised.
    "12_text_30x20.png": Read(None, line_count=1),
    "12_text_60x18.png": Read(None, line_count=1),
    # Large, wide, tall and crowded pages.
    "4k_text.png": Read(None),
    "50_huge_12000x9000.png": Read(["Hello World 12345"]),
    "50_huge_20000x20000.png": TOO_LARGE,
    "50_huge_33000x33000.png": TOO_LARGE,
    "51_tall_60x20000.png": Read(None),
    "51_wide_20000x60.png": Read(None),
    "51_wide_6000x80.png": Read(None),
    "52_vertical_letters.png": Read(None, line_count=11),
    "53_dense_2500_boxes.png": Read(None),
    "54_stagger.png": Read(None, line_count=10),
    "55_int16_40000x1500.png": Read(None),
    # PDFs and other files of several pages.
    "40_multipage.tif": Read(HELLO, page_count=3),
    "60_12pages.pdf": Read(["Page 1 of twelve", "Invoice number 1000"], page_count=12),
    "60_1page.pdf": Read(["Page 1 of twelve", "Invoice number 1000"]),
    "pdf_500_pages.pdf": Read(None, page_count=500),
    "cropbox_offset.pdf": Read(None),
    "no_text_layer.pdf": Read(None),
    "rotated_90.pdf": Read(None),
    # A page beyond the limit is rendered smaller.
    "60_hugepage_14400pt.pdf": Read([], warnings=("rendered_smaller",)),
    "password_protected.pdf": Refused("the PDF is protected by a password"),
}


@pytest.fixture(scope="module", params=["grpc", "http"])
def client(request: pytest.FixtureRequest, server: EmbeddedServer) -> Iterator[OCRClient]:
    """A client by either of Triton's protocols."""
    url = server.grpc_url if request.param == "grpc" else f"http://{server.http_url}"
    with OCRClient(url) as connected:
        yield connected


def test_every_file_has_an_expected_outcome(corpus: Path) -> None:
    assert {path.name for path in (corpus / "edge").iterdir()} == EXPECTED.keys()


@pytest.mark.parametrize("name", [name for name, outcome in EXPECTED.items() if isinstance(outcome, Refused)])
def test_is_refused_in_one_sentence(client: OCRClient, corpus: Path, name: str) -> None:
    expected = EXPECTED[name]
    assert isinstance(expected, Refused)
    with pytest.raises(InvalidInputError) as caught:
        client.ocr((corpus / "edge" / name).read_bytes(), **PLAIN)
    assert re.search(expected.sentence, str(caught.value))
    assert "\n" not in str(caught.value), "one sentence, not a traceback"


@pytest.mark.parametrize("client", ["grpc"], indirect=True)
@pytest.mark.parametrize("name", [name for name, outcome in EXPECTED.items() if isinstance(outcome, Read)])
def test_is_read(client: OCRClient, corpus: Path, name: str) -> None:
    expected = EXPECTED[name]
    assert isinstance(expected, Read)
    pages = client.ocr((corpus / "edge" / name).read_bytes(), max_pages=10, **PLAIN)
    first = pages[0].json["res"]
    assert len(pages) == min(expected.page_count, 10)
    assert pages[0].page_count == expected.page_count
    assert all(page.ok for page in pages)
    found = {warning.code for page in pages for warning in page.warnings} - {"text_too_small"}
    assert found == set(expected.warnings)
    if expected.lines is not None:
        # Compression costs the recogniser a space now and then; PaddleX's too.
        assert [text.replace(" ", "") for text in first["rec_texts"]] == [
            text.replace(" ", "") for text in expected.lines
        ]
    if expected.line_count is not None:
        assert len(first["rec_texts"]) == expected.line_count


REPORTED: dict[str, tuple[int, str]] = {
    "F01_filled_form.pdf": (1, "Wilhelmina Oak"),
    "F01_signature_and_tick.pdf": (1, "Signed by Ola Brandt"),
    "F14_two_pages_bad_chain_end.tif": (2, ""),
    "F15_pyramid.tif": (1, ""),
    "F16_clipboard_alpha0.bmp": (1, ""),
    "F19_userunit72.pdf": (1, "Approved by Tomas Lind, revision 4 of May 2031"),
    "F20_page2_too_large.pdf": (4, "Chapter 1 begins"),
    "F21_receipt_80pt.pdf": (1, ""),
    "F25_bad_text_crc.png": (1, ""),
}
"""Files of public bug reports: the number of pages that have text to read, and a line of the first page."""


@pytest.mark.parametrize("client", ["grpc"], indirect=True)
@pytest.mark.parametrize("name", REPORTED)
def test_a_reported_file_is_read(client: OCRClient, corpus: Path, name: str) -> None:
    page_count, line = REPORTED[name]
    pages = client.ocr((corpus / "reports" / name).read_bytes(), **PLAIN)
    assert len(pages) == page_count
    assert all(page.ok for page in pages)
    texts = [text.replace(" ", "") for text in pages[0]["rec_texts"]]
    assert texts
    assert not line or line.replace(" ", "") in texts


@pytest.mark.parametrize("client", ["grpc"], indirect=True)
def test_a_scan_in_a_tiny_pdf_page_reads_like_the_scan_itself(client: OCRClient, corpus: Path) -> None:
    in_pdf, alone = (
        client.ocr((corpus / "reports" / name).read_bytes(), **PLAIN)[0]
        for name in ("F21_receipt_80pt.pdf", "F21_receipt_same_pixels.png")
    )
    assert in_pdf.page.height == alone.page.height
    same = set(in_pdf["rec_texts"]) & set(alone["rec_texts"])
    assert len(same) >= 0.9 * len(alone["rec_texts"])
