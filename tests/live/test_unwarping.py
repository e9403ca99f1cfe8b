"""Unwarping by the default options: flat pages lose no line, and bent pages are read."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from bent_pages import Bend, as_pdf, photograph, text_page
from numpy.typing import NDArray
from rapidfuzz import fuzz, process

from tritonocr import OCRClient, OCRResult
from tritonocr_backend.server.embedded import EmbeddedServer

READ = 85  # per cent of a line's letters


@pytest.fixture(scope="module")
def client(server: EmbeddedServer) -> Iterator[OCRClient]:
    with OCRClient(server.grpc_url) as client:
        yield client


def read_lines(result: OCRResult, lines: tuple[str, ...]) -> int:
    """Count the lines of a page that were read."""
    found = result["rec_texts"]
    best = (process.extractOne(line, found, scorer=fuzz.ratio) for line in lines)
    return sum(match is not None and match[1] >= READ for match in best)


def compared(
    client: OCRClient, image: NDArray[np.uint8] | bytes, lines: tuple[str, ...]
) -> tuple[int, int, bool]:
    """Return the lines that are read with unwarping on and off, and whether the page was flattened."""
    [on], [off] = (client.ocr(image, use_doc_unwarping=flag) for flag in (True, False))
    assert isinstance(on, OCRResult)
    assert isinstance(off, OCRResult)
    return read_lines(on, lines), read_lines(off, lines), on.page.unwarped


@pytest.mark.parametrize(
    ("kind", "options", "reason"),
    [
        pytest.param("scan", {}, "a scan without any margin of paper around it", id="scan"),
        pytest.param("pdf", {}, "a page of a PDF with footers near its edge", id="pdf"),
        pytest.param("dense", {"font_px": 12}, "small letters, footers close to the edge", id="dense"),
        pytest.param("photo", {}, "lies flat on a desk", id="flat photograph"),
        pytest.param("keystone", {}, "is seen from below, which leaves lines straight", id="perspective"),
    ],
)
def test_a_flat_page_is_left_alone_and_loses_no_line(
    client: OCRClient, kind: str, options: dict[str, int], reason: str, tmp_path: Path
) -> None:
    page = text_page(7, **options)  # type: ignore[arg-type]
    image: NDArray[np.uint8] | bytes = page.pixels
    if kind == "pdf":
        image = as_pdf(page, tmp_path / "page.pdf")
    elif kind in ("photo", "keystone"):
        image = photograph(page.pixels, "none", perspective=0.15 if kind == "keystone" else 0.0)
    on, off, unwarped = compared(client, image, page.lines)
    assert not unwarped, reason
    assert on == off >= 0.95 * len(page.lines)


@pytest.mark.parametrize("name", ["300", "306", "310", "313", "317"])
def test_receipts_on_a_scanner_lose_no_line(client: OCRClient, corpus: Path, name: str) -> None:
    """Receipts 306 and 310 have the noisiest grids of the flat pages of the corpus."""
    data = (corpus / "receipts" / f"{name}.jpg").read_bytes()
    [on], [off] = (client.ocr(data, use_doc_unwarping=flag) for flag in (True, False))
    assert not on.page.unwarped
    assert on["rec_texts"] == off["rec_texts"]


@pytest.mark.parametrize(
    ("bend", "strength"),
    [
        pytest.param("book", 0.02, id="an open book, slightly bent"),
        pytest.param("book", 0.04, id="an open book"),
        pytest.param("wave", 0.015, id="a wave"),
    ],
)
def test_a_bent_page_is_flattened_and_keeps_its_footers(
    client: OCRClient, bend: Bend, strength: float
) -> None:
    page = text_page(8)
    on, off, unwarped = compared(client, photograph(page.pixels, bend, strength), page.lines)
    assert unwarped
    assert on > off
    assert on >= 0.8 * len(page.lines)


@pytest.mark.parametrize("angle", [0, 90], ids=["upright", "on its side"])
def test_input_coordinates_are_on_the_image_that_was_sent(client: OCRClient, angle: int) -> None:
    """A blue bar stands below a line of a bent page. On the image that was sent, the box is next to it."""
    page = text_page(8)
    marked = page.pixels.copy()
    marked[133:139, 60:200] = (200, 0, 0)
    image = np.ascontiguousarray(np.rot90(photograph(marked, "book", 0.04), -(angle // 90)))
    [result] = client.ocr(image, coordinates="input")
    assert result.page.unwarped
    assert result.page.angle == angle
    text, _, line = process.extractOne(page.lines[2], result["rec_texts"])
    assert fuzz.ratio(text, page.lines[2]) >= READ
    box = np.zeros(image.shape[:2], np.uint8)
    cv2.fillPoly(box, [np.asarray(result["rec_polys"][line], np.int32)], 1)
    near = cv2.dilate(box, np.ones((61, 61), np.uint8)) > 0
    bar = (image[..., 0] > 150) & (image[..., 2] < 60)
    assert (bar & near).sum() > 0.9 * bar.sum(), "the bar is next to the line"
