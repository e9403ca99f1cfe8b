"""What a searchable PDF adds to its original, what it removes, and how much memory it takes."""

import io
import re
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pikepdf
import pypdfium2
import pytest
from drawn_pdfs import page_of, text_at
from kserve_fake import answer_with_lines, decoded, texts
from PIL import Image

import tritonocr._results.pdf_spool as pdf_spool
from tritonocr import InvalidInputError, OCRResult, save_document, searchable_pdf
from tritonocr._options import DEFAULTS


def jpeg(size: tuple[int, int] = (600, 800)) -> bytes:
    output = io.BytesIO()
    Image.new("RGB", size, "white").save(output, "JPEG")
    return output.getvalue()


def results_of(
    *lines: str, sources: list[str] | None = None, pages: int = 1, name: str | None = None, **options: Any
) -> list[OCRResult]:
    """Pages of 600 x 800 pixels; all lines are on the first one, under each other."""
    tops = range(40, 40 * len(lines) + 1, 40)
    corners = [[(20, top), (300, top), (300, top + 24), (20, top + 24)] for top in tops]
    polys = np.array(corners, np.int32).reshape(-1, 4, 2)
    tensors = answer_with_lines(["" for _ in lines], None, pages) | {
        "page_sizes": np.array([[800, 600]] * pages, np.int32),
        "rec_texts": texts(list(lines)),
        "rec_polys": polys,
        "dt_polys": polys,
        "rec_boxes": np.concatenate([polys.min(axis=1), polys.max(axis=1)], axis=1),
        "rec_sources": texts(sources or ["ocr"] * len(lines)),
        "input_images": np.array([jpeg()] * pages, np.object_),
        "preprocessed_images": np.array([b""] * pages, np.object_),
    }
    given = {"pdf_text": "ocr" if sources is None else "auto", "return_page_images": True, **options}
    return decoded(tensors, {**DEFAULTS, **given}, input_path=name, is_pdf=True)


def text_of(pdf: bytes, page: int = 0) -> str:
    with pypdfium2.PdfDocument(pdf) as document:
        text: str = document[page].get_textpage().get_text_range()
    return text.replace("\r\n", "\n")


def test_a_line_that_the_pdf_has_already_is_not_added() -> None:
    original = page_of(text_at(40, 120, "In the file"))
    pdf = searchable_pdf(results_of("In the file", "In a picture", sources=["pdf", "ocr"]), original)
    assert sorted(text_of(pdf).split("\n")) == ["In a picture", "In the file"]
    assert text_of(searchable_pdf(results_of("In the file", sources=["pdf"]), original)) == "In the file"


def test_text_of_an_earlier_ocr_is_replaced() -> None:
    hidden = text_at(40, 120, "Wr0ng w0rds", mode=3)
    form = pikepdf.new()
    form.add_blank_page(page_size=(300, 400))
    stream = form.make_stream(b"BT 3 Tr /F 12 Tf 9 9 Td (als0 wrong) Tj ET", Subtype=pikepdf.Name.Form)
    form.pages[0].Resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary(Layer=stream))
    form.pages[0].Contents = form.make_stream(b"/Layer Do")
    file = io.BytesIO()
    form.save(file)
    for original in (page_of(hidden + b"q 0 g 20 20 50 50 re f Q"), file.getvalue()):
        assert "wr" in text_of(original).lower() or original is file.getvalue()
        pdf = searchable_pdf(results_of("Right words", sources=["ocr"]), original)
        assert text_of(pdf) == "Right words"
        with pikepdf.open(io.BytesIO(pdf)) as made:
            assert made.check_pdf_syntax() == []
        kept = searchable_pdf(results_of("Wr0ng w0rds", sources=["pdf"]), original)
        assert text_of(kept) == text_of(original), "nothing is added, so nothing is replaced"


def test_visible_text_beside_hidden_text_stays_in_its_place() -> None:
    mixed = b"BT /F 12 Tf 40 120 Td (seen) Tj 3 Tr ( hidden) Tj 0 Tr ( seen too) Tj ET\n"
    original = page_of(mixed + text_at(40, 200, "hidden alone", mode=3))
    pdf = searchable_pdf(results_of("new", sources=["ocr"]), original)
    assert "hidden alone" not in text_of(pdf)
    assert "seen hidden seen too" in text_of(pdf)
    with pypdfium2.PdfDocument(pdf) as made, pypdfium2.PdfDocument(original) as given:
        assert (made[0].render(scale=2).to_numpy() == given[0].render(scale=2).to_numpy()).all()


def test_text_that_is_found_twice_is_a_warning_which_names_the_option() -> None:
    original = page_of(text_at(40, 120, "In the file"))
    with pytest.warns(UserWarning, match="Page 1 has text of its own.*pdf_text='auto'"):
        searchable_pdf(results_of("In the file"), original)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        searchable_pdf(results_of("In the file"), page_of(b"0 0 9 9 re f"))
        searchable_pdf(results_of("In the file", sources=["pdf"]), original)


def test_the_original_may_be_bytes_that_the_results_hold() -> None:
    original = page_of(text_at(40, 120, "In the file"))
    results = results_of("In a picture", sources=["ocr"])
    results[0].original = original
    assert "In the file" in text_of(searchable_pdf(results))


@pytest.mark.parametrize("name", ["pdf", "pdfa"])
def test_a_document_of_many_files_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    results = results_of("a line", pages=5, name="scan.tif")
    whole = save_document(results, tmp_path / "whole.pdf", format=name)
    monkeypatch.setattr(pdf_spool, "_FILE_BYTES", 1)
    parts = save_document(iter(results), tmp_path / "parts.pdf", format=name)
    assert whole
    assert parts
    assert len(pypdfium2.PdfDocument(parts)) == 5
    assert text_of(parts.read_bytes()) == "a line"
    assert abs(parts.stat().st_size - whole.stat().st_size) < 200
    assert sorted(path.name for path in tmp_path.iterdir()) == ["parts.pdf", "whole.pdf"]


GROWTH = """
import sys
from pathlib import Path
import psutil
import test_searchable_pdf_originals as here
from tritonocr import save_document
from PIL import Image
import io, numpy as np

noise = io.BytesIO()
pixels = np.random.default_rng(0).integers(0, 255, (1000, 1000, 3), np.uint8)
Image.fromarray(pixels).save(noise, "JPEG", quality=95)
(page,) = here.results_of("a line", name="scan.tif")
page.page_picture = lambda: noise.getvalue()
anonymous = []
def pages(count):
    for _ in range(count):
        yield page
        memory = psutil.Process().memory_full_info()
        anonymous.append(memory.uss)
for count in (30, 300):
    anonymous.clear()
    save_document(pages(count), sys.argv[1], format="pdf")
    print(max(anonymous), Path(sys.argv[1]).stat().st_size)
"""


def test_memory_does_not_grow_with_the_number_of_pages(tmp_path: Path) -> None:
    call = [sys.executable, "-c", GROWTH, str(tmp_path / "out.pdf")]
    done = subprocess.run(
        call,
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
        env={"PYTHONPATH": f"{Path(__file__).parent}:{Path(__file__).parents[2]}"},
    )
    (few, _), (many, size) = (map(int, line.split()) for line in done.stdout.splitlines())
    assert size > 200 * 2**20, "the pages of the long document would be noticed"
    assert many < few + 60 * 2**20


def test_pdf_a_has_metadata_and_an_output_intent() -> None:
    pdf = searchable_pdf(results_of("a line", name="scan.tif"), pdf_a=True)
    assert pdf == searchable_pdf(results_of("a line", name="scan.tif"), pdf_a=True)
    with pikepdf.open(io.BytesIO(pdf)) as made:
        assert made.open_metadata().pdfa_status == "2B"
        assert made.open_metadata()["dc:title"] == made.docinfo["/Title"] == "scan"
        (intent,) = made.Root.OutputIntents
        assert intent.S == "/GTS_PDFA1"
        assert intent.DestOutputProfile.N == 3
        assert intent.DestOutputProfile.read_bytes()[36:40] == b"acsp"
        assert made.trailer.ID
        assert not made.is_encrypted
        (font,) = made.pages[0].Resources.Font.values()
        assert "/FontFile2" in font.DescendantFonts[0].FontDescriptor
        assert set(made.pages[0].Resources.XObject["/Picture"].keys()) & {"/Interpolate", "/SMask"} == set()
    assert re.match(rb"%PDF-1\.7\n%[\x80-\xff]{4}", pdf)


def test_pdf_a_of_a_pdf_needs_a_pdf_that_is_pdf_a() -> None:
    with pytest.raises(InvalidInputError, match="The original is a PDF that is not PDF/A; expected an image"):
        searchable_pdf(results_of("a", sources=["ocr"]), page_of(b""), pdf_a=True)
    archival = searchable_pdf(results_of("first", name="scan.tif"), pdf_a=True)
    again = searchable_pdf(results_of("second", sources=["ocr"]), archival, pdf_a=True)
    assert text_of(again) == "second"
    with pikepdf.open(io.BytesIO(again)) as made:
        assert made.open_metadata().pdfa_status == "2B"
