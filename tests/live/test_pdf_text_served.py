"""The option `pdf_text` on a real server: the text, its source, and the speed."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from drawn_files import encode
from drawn_pdfs import born_digital, form_page, page_of, text_and_picture, text_at
from PIL import Image, ImageDraw, ImageFont

from tritonocr import OCRClient, OCRResult
from tritonocr_backend.server.embedded import EmbeddedServer

PAGES = 50
OCR_PAGES = 4
LINES = 45
FASTER = 10
"""The text layer is at least so many times as fast as OCR; docs/documents.md has the measured value."""


@pytest.fixture(scope="module")
def client(server: EmbeddedServer) -> Iterator[OCRClient]:
    with OCRClient(server.grpc_url) as connected:
        yield connected


def read(client: OCRClient, data: bytes, pdf_text: str, **options: Any) -> list[OCRResult]:
    return client.ocr(data, pdf_text=pdf_text, timeout_s=300, **options)


def test_a_born_digital_pdf_needs_no_network(client: OCRClient) -> None:
    data = born_digital(PAGES)
    read(client, data, "auto", max_pages=2)  # starts the worker process
    started = time.perf_counter()
    pages = read(client, data, "auto", max_pages=PAGES)
    layer_s = (time.perf_counter() - started) / PAGES
    assert [len(page["rec_texts"]) for page in pages] == [LINES] * PAGES
    assert pages[49]["rec_texts"][44] == "Page 50, line 45: the goods arrived on time."
    assert {source for page in pages for source in page["rec_sources"]} == {"pdf"}
    started = time.perf_counter()
    by_ocr = read(client, data, "ocr", max_pages=OCR_PAGES)
    ocr_s = (time.perf_counter() - started) / OCR_PAGES
    print(f"pdf_text=auto: {1 / layer_s:.1f} pages/s, ocr: {1 / ocr_s:.2f} pages/s, {ocr_s / layer_s:.0f} x")
    assert ocr_s > FASTER * layer_s
    assert by_ocr[0].page.height == pages[0].page.height


def picture_of(text: str) -> tuple[bytes, tuple[int, int]]:
    image = Image.new("RGB", (1200, 150), "white")
    ImageDraw.Draw(image).text((30, 40), text, "black", font=ImageFont.load_default(60))
    return encode(image, "JPEG", quality=95), image.size


def test_a_picture_on_a_page_with_text_is_read_too(client: OCRClient) -> None:
    data = text_and_picture("Invoice 4711 of May", *picture_of("Delivered to Lisbon"))
    (page,) = read(client, data, "auto", use_doc_unwarping=True)
    assert list(zip(page["rec_texts"], page["rec_sources"], strict=True)) == [
        ("Invoice 4711 of May", "pdf"),
        ("Delivered to Lisbon", "ocr"),
    ]
    (page,) = read(client, data, "only")
    assert (page["rec_texts"], page["rec_sources"]) == (["Invoice 4711 of May"], ["pdf"])


def test_a_page_whose_text_is_hidden_is_read(client: OCRClient) -> None:
    data = page_of(text_at(40, 120, "wrong words", mode=3) + b"q 0 g 20 20 50 50 re f Q")
    (page,) = read(client, data, "auto")
    assert "wrong words" not in page["rec_texts"]
    (page,) = read(client, data, "only")
    assert page["rec_texts"] == ["wrong words"]
    assert [warning.code for warning in page.warnings] == ["text_layer_unsound"]


def test_the_values_of_a_form_are_in_the_layer(client: OCRClient) -> None:
    data = form_page(b"/FT/Tx/V(Wilhelmina Oak)/DA(/F 20 Tf 0 g)")
    (page,) = read(client, data, "auto", return_page_images=True)
    assert page["rec_texts"] == ["Wilhelmina Oak"]
    assert page.page_picture().startswith(b"\xff\xd8")
