"""Searchable PDFs as readers of PDFs see them: PDFium, pdfminer, pypdf, qpdf and, if installed, poppler."""

import io
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pikepdf
import pypdf
import pypdfium2
import pytest
from kserve_fake import answer_with_lines, decoded, texts
from numpy.typing import NDArray
from pdfminer.high_level import extract_text
from PIL import Image

from tritonocr import InvalidInputError, OCRResult, searchable_pdf
from tritonocr._options import DEFAULTS

Quad = NDArray[np.float64]


def quad(center: tuple[float, float], width: float, height: float, degrees: float = 0) -> Quad:
    """Return a line's corners around its center, turned clockwise."""
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * [width / 2, height / 2]
    turned: Quad = corners @ np.array([[cosine, sine], [-sine, cosine]]) + center
    return turned


def picture(size: tuple[int, int], dpi: float | None = None, kind: str = "JPEG") -> bytes:
    output = io.BytesIO()
    Image.new("RGB", size, "white").save(output, kind, **({} if dpi is None else {"dpi": (dpi, dpi)}))
    return output.getvalue()


def results_of(
    *lines: tuple[str, Quad],
    size: tuple[int, int] = (600, 800),
    input_path: str | None = "in.jpg",
    pages: int = 1,
    page_of_line: list[int] | None = None,
    **options: Any,
) -> list[OCRResult]:
    """Pages of (width, height) pixels with lines."""
    polys = np.rint([corners for _, corners in lines]).astype(np.int32).reshape(-1, 4, 2)
    tensors = answer_with_lines(["" for _ in lines], page_of_line, pages) | {
        "page_sizes": np.array([size[::-1]] * pages, np.int32),
        "rec_texts": texts([text for text, _ in lines]),
        "rec_polys": polys,
        "dt_polys": polys,
        "rec_boxes": np.concatenate([polys.min(axis=1), polys.max(axis=1)], axis=1),
        "input_images": np.array([picture(size)] * pages, np.object_),
        "preprocessed_images": np.array([b""] * pages, np.object_),
        **{name: options.pop(name) for name in ("doc_angle", "unwarped") if name in options},
    }
    settings = {**DEFAULTS, "return_page_images": True, **options}
    is_pdf = bool(input_path) and str(input_path).endswith(".pdf")
    return decoded(tensors, settings, input_path=input_path, is_pdf=is_pdf)


def read_by_pdfium(pdf: bytes, page: int = 0) -> str:
    with pypdfium2.PdfDocument(pdf) as document:
        text: str = document[page].get_textpage().get_text_range()
    return text.replace("\r\n", "\n")


def box_of(pdf: bytes, text: str, page: int = 0) -> list[float]:
    """Return left, bottom, right, top in points of the first place of a text, as PDFium finds it."""
    with pypdfium2.PdfDocument(pdf) as document:
        text_page = document[page].get_textpage()
        start, count = text_page.search(text).get_next()
        boxes = np.array([text_page.get_charbox(start + index, loose=False) for index in range(count)])
    return [*boxes[:, :2].min(axis=0), *boxes[:, 2:].max(axis=0)]


@pytest.mark.parametrize(
    ("text", "corners"),
    [
        pytest.param("4", quad((100, 100), 20, 30), id="a line of one character (F12)"),
        pytest.param("Running down", np.array([(90, 20), (120, 20), (120, 300), (90, 300)]), id="down (F12)"),
        pytest.param("竖排文字", np.array([(90, 20), (120, 20), (120, 300), (90, 300)]), id="vertical (F12)"),
        pytest.param("a tilted line", quad((300, 300), 400, 30, 3), id="tilted"),
        pytest.param("a tilted line", quad((300, 300), 400, 30, -5), id="tilted the other way"),
        pytest.param("a leaning line", quad((300, 300), 400, 30, 30), id="a stamp"),
        pytest.param("مرحبا بالعالم", quad((300, 300), 400, 30), id="right to left"),
        pytest.param("x 𠀀😀 y", quad((300, 300), 400, 30), id="beyond 16 bits"),
    ],
)
def test_every_line_is_found(text: str, corners: Quad) -> None:
    pdf = searchable_pdf(results_of((text, corners)))
    assert read_by_pdfium(pdf).split() == text.split()


@pytest.mark.parametrize("degrees", [0, 1.5, -3, 5])
def test_words_lie_on_their_ink(degrees: float) -> None:
    corners = quad((300, 400), 400, 30, degrees)
    pdf = searchable_pdf(results_of(("alpha beta gamma", corners)))
    left, bottom, right, top = np.array(box_of(pdf, "beta")) * 2  # 144 dots per inch
    expected = corners.mean(axis=0) + (corners[1] - corners[0]) * ((6 + 10) / 2 / 16 - 0.5)
    assert ((left + right) / 2, 800 - (bottom + top) / 2) == pytest.approx(tuple(expected), abs=2)
    assert top - bottom == pytest.approx(30, abs=2)


def test_lines_come_in_reading_order_with_words_apart() -> None:
    lines = [("The quick brown fox", quad((200, 100), 300, 24)), ("jumps over it", quad((150, 130), 200, 25))]
    pdf = searchable_pdf(results_of(*lines))
    expected = ["The quick brown fox", "jumps over it"]
    assert read_by_pdfium(pdf).splitlines() == expected
    assert extract_text(io.BytesIO(pdf)).split("\n")[:2] == expected
    assert pypdf.PdfReader(io.BytesIO(pdf)).pages[0].extract_text().splitlines() == expected


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="poppler-utils is not installed")
@pytest.mark.parametrize("degrees", [0, 1, 3])
def test_pdftotext_keeps_words_whole_and_in_order(tmp_path: Path, degrees: float) -> None:
    lines = [
        ("The quick brown fox", quad((300, 200), 400, 30, degrees)),
        ("jumps over the dog", quad((300, 245), 400, 30, degrees)),
    ]
    (tmp_path / "a.pdf").write_bytes(searchable_pdf(results_of(*lines)))
    # In the order of the file. Poppler's own order takes a line for several if it rises by half its height.
    call = ["pdftotext", *(["-raw"] if degrees > 2 else []), str(tmp_path / "a.pdf"), "-"]
    text = subprocess.run(call, capture_output=True, check=True, text=True, timeout=60).stdout
    assert text.split() == ["The", "quick", "brown", "fox", "jumps", "over", "the", "dog"]


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="poppler-utils is not installed")
@pytest.mark.parametrize("degrees", [-75, -45, -30, -10, 7, 8, 20, 30, 40, 60])
def test_pdftotext_keeps_the_words_of_steep_lines_whole(tmp_path: Path, degrees: float) -> None:
    texts = ["The quick brown fox jumped", "over the lazy dog and ran", "away from all of his big"]
    down = np.array([-np.sin(np.radians(degrees)), np.cos(np.radians(degrees))])
    lines = [
        (text, quad(tuple(down * 34 * number + (400, 500)), 460, 30, degrees))
        for number, text in enumerate(texts, -1)
    ]
    (tmp_path / "a.pdf").write_bytes(searchable_pdf(results_of(*lines, size=(800, 1000))))
    call = ["pdftotext", str(tmp_path / "a.pdf"), "-"]
    text = subprocess.run(call, capture_output=True, check=True, text=True, timeout=60).stdout
    assert sorted(text.split()) == sorted(" ".join(texts).split())


def original_pdf(path: Path, rotation: int = 0, crop: list[float] | None = None) -> Path:
    """Write a PDF of two pages of 300 x 400 points with a bookmark, a link, an attachment and a title."""
    with pikepdf.new() as pdf:
        for _ in range(2):
            page = pdf.add_blank_page(page_size=(300, 400))
            page.Contents = pdf.make_stream(b"q 2 0 0 2 0 0 cm 1 0 0 rg 10 10 50 50 re f")  # lacks its Q
            page.Rotate = rotation
            if crop:
                page.CropBox = crop
            page.Annots = [pikepdf.Dictionary(Type=pikepdf.Name.Annot, Subtype=pikepdf.Name.Link,
                Rect=[0, 0, 9, 9], A=pikepdf.Dictionary(S=pikepdf.Name.URI, URI="http://h/"))]  # fmt: skip
        with pdf.open_outline() as outline:
            outline.root.append(pikepdf.OutlineItem("Chapter", 1))
        pdf.attachments["note.txt"] = b"attached"
        pdf.docinfo["/Title"], pdf.docinfo["/Author"] = "The title", "An author"
        pdf.save(path)
    return path


def rendered(pdf: bytes | Path) -> NDArray[np.uint8]:
    with pypdfium2.PdfDocument(pdf) as document:
        pixels: NDArray[np.uint8] = document[0].render(scale=1).to_numpy().copy()
    return pixels


@pytest.mark.parametrize("crop", [None, [50, 100, 250, 300]])
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_the_pages_of_a_pdf_stay_as_they_are(tmp_path: Path, rotation: int, crop: list[float] | None) -> None:
    path = original_pdf(tmp_path / "in.pdf", rotation, crop)
    width, height = (200, 200) if crop else (300, 400) if rotation % 180 == 0 else (400, 300)
    corners = quad((120, 60), 160, 20)  # upright on the page as a viewer shows it, 2 px per point
    results = results_of(
        ("word", corners), size=(2 * width, 2 * height), input_path=str(path), pages=2, page_of_line=[0]
    )
    pdf = searchable_pdf(results)
    assert read_by_pdfium(pdf) == "word"
    assert (rendered(pdf) == rendered(path)).all()
    with pikepdf.open(io.BytesIO(pdf)) as made, pikepdf.open(path) as given:
        assert made.check_pdf_syntax() == []
        assert [page.Rotate for page in made.pages] == [rotation] * 2
        assert made.pages[0].Annots[0].A.URI == "http://h/"
        assert made.attachments["note.txt"].get_file().read_bytes() == b"attached"
        assert dict(made.docinfo) == dict(given.docinfo)
        with made.open_outline() as outline:
            assert [item.title for item in outline.root] == ["Chapter"]
        assert made.pages[1].Contents.read_bytes() == given.pages[1].Contents.read_bytes()
    assert len(pdf) < path.stat().st_size + 4000
    with pypdfium2.PdfDocument(pdf) as document:
        page = document[0]
        boxes = np.array([page.get_textpage().get_charbox(index) for index in range(4)])
        points = np.concatenate([boxes[:, :2], boxes[:, 2:]])
        shown = shown_pixels(points, rotation, crop or [0, 0, 300, 400])
    assert shown.min(axis=0) == pytest.approx(corners.min(axis=0), abs=2)
    assert shown.max(axis=0) == pytest.approx(corners.max(axis=0), abs=2)


def shown_pixels(points: Quad, rotation: int, box: list[float]) -> Quad:
    """Map points of the page to pixels of a viewer's picture, at 2 pixels per point."""
    x, y = points[:, 0] - box[0], box[3] - points[:, 1]
    width, height = box[2] - box[0], box[3] - box[1]
    turned = {0: (x, y), 90: (height - y, x), 180: (width - x, height - y), 270: (y, width - x)}[rotation]
    return np.stack(turned, axis=1) * 2


@pytest.mark.parametrize("angle", [90, 180, 270])
def test_text_of_a_page_that_was_turned_lies_on_the_page_as_given(tmp_path: Path, angle: int) -> None:
    path = original_pdf(tmp_path / "in.pdf")
    corners = quad((120, 60), 160, 20)
    results = results_of(
        ("word", corners), size=(600, 800), input_path=str(path), doc_angle=np.array([angle], np.int32)
    )
    boxes = np.array(box_of(searchable_pdf(results), "word")).reshape(2, 2) * 2
    x, y = corners.T
    turned_width, turned_height = (800, 600) if angle % 180 else (600, 800)
    given = {
        90: (turned_height - y, x),
        180: (turned_width - x, turned_height - y),
        270: (y, turned_width - x),
    }
    expected = np.stack([given[angle][0], 800 - given[angle][1]], axis=1)
    assert boxes[0] == pytest.approx(expected.min(axis=0), abs=2)
    assert boxes[1] == pytest.approx(expected.max(axis=0), abs=2)


def test_an_unwarped_page_becomes_its_flat_picture_with_a_warning(tmp_path: Path) -> None:
    path = original_pdf(tmp_path / "in.pdf")
    line = ("word", quad((120, 60), 160, 20))
    with pytest.warns(UserWarning, match="Page 1 was unwarped.*coordinates='input'"):
        pdf = searchable_pdf(results_of(line, input_path=str(path), unwarped=np.array([True])))
    assert read_by_pdfium(pdf) == "word"
    kept = results_of(line, input_path=str(path), unwarped=np.array([True]), coordinates="input")
    assert (rendered(searchable_pdf(kept)) == rendered(path)).all()


@pytest.mark.parametrize(
    ("dpi", "kind", "size", "points"),
    [
        pytest.param(300, "JPEG", (2480, 3508), (595.2, 841.92), id="A4 (F13)"),
        pytest.param(96, "PNG", (960, 480), (720, 360), id="a screenshot"),
        pytest.param(600, "TIFF", (600, 1200), (72, 144), id="TIFF"),
        pytest.param(None, "PNG", (600, 800), (300, 400), id="no resolution: 144"),
        pytest.param(1, "JPEG", (600, 800), (300, 400), id="a wrong resolution: 144"),
    ],
)
def test_pictures_become_pages_at_their_resolution(
    tmp_path: Path, dpi: float | None, kind: str, size: tuple[int, int], points: tuple[float, float]
) -> None:
    path = tmp_path / f"Scan 1.{kind.lower()}"
    path.write_bytes(picture(size, dpi, kind))
    for original in (None, path, path.read_bytes()):
        pdf = searchable_pdf(
            results_of(("word", quad((120, 60), 160, 20)), size=size, input_path=str(path)), original
        )
        with pypdfium2.PdfDocument(pdf) as document:
            assert document[0].get_size() == pytest.approx(points, abs=0.3)
            assert document.get_metadata_value("Title") == "Scan 1"
            assert document.get_metadata_value("Author") == ""


def test_a_saved_page_of_a_pdf_is_one_page(tmp_path: Path) -> None:
    path = original_pdf(tmp_path / "in.pdf")
    results = results_of(("word", quad((120, 60), 160, 20)), input_path=str(path), pages=2, page_of_line=[1])
    saved = results[1].save_to_pdf(tmp_path / "page.pdf").read_bytes()
    with pypdfium2.PdfDocument(saved) as document:
        assert len(document) == 1
    assert read_by_pdfium(saved) == "word"
    assert len(pypdf.PdfReader(io.BytesIO(searchable_pdf(results[1:]))).pages) == 2, "all pages are kept"


def test_an_original_that_does_not_fit_is_one_sentence(tmp_path: Path) -> None:
    results = results_of(input_path="in.pdf", pages=3, page_of_line=[])
    with pytest.raises(InvalidInputError, match="The original PDF has 2 pages; expected page 3 in it"):
        searchable_pdf(results, original_pdf(tmp_path / "a.pdf"))
    with pytest.raises(InvalidInputError, match="Cannot open the original PDF"):
        searchable_pdf(results, b"%PDF-1.7 broken")
