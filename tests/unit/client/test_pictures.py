"""Pictures, fonts, PDFs and the demo page."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pypdfium2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kserve_fake import answer_with_lines, decoded
from PIL import Image, ImageDraw, features

from tritonocr import InvalidInputError, OCRResult, demo_page, searchable_pdf
from tritonocr._demo import DEMO_LINES
from tritonocr._options import DEFAULTS
from tritonocr._results import fonts
from tritonocr._results.fonts import draw_text, fitted_size, runs, text_picture, text_width
from tritonocr._results.pictures import ocr_picture, preprocessing_picture
from tritonocr._results.saving import encoded_picture, picture_suffix

# One text for each language of the tutorial's recognition models, and a few more.
SCRIPTS = {
    "Chinese": "简体中文",
    "traditional Chinese": "繁體中文",
    "Japanese": "日本語のテキスト",
    "Korean": "한국어",
    "Latin": "Łódź naïve Ærø",
    "Cyrillic": "Съешь ещё",
    "Arabic": "مرحبا بالعالم",
    "Devanagari": "नमस्ते",
    "Tamil": "வணக்கம்",
    "Telugu": "నమస్కారం",
    "Kannada": "ನಮಸ್ಕಾರ",
    "Greek": "Γειά σου",
    "Thai": "สวัสดี",
    "Hebrew": "שלום",
}


def jpeg(width: int, height: int) -> bytes:
    output = io.BytesIO()
    Image.new("RGB", (width, height), "yellow").save(output, "JPEG")
    return output.getvalue()


def results_of(
    *lines: str, pages: int = 1, input_path: str | None = "a.jpg", **changes: Any
) -> list[OCRResult]:
    tensors = answer_with_lines(list(lines), pages=pages) | {
        "input_images": np.array([jpeg(40, 60)] * pages, np.object_),
        "preprocessed_images": np.array([jpeg(60, 40)] * pages, np.object_),
        **changes,
    }
    options = {**DEFAULTS, "return_page_images": True}
    return decoded(tensors, options, input_path=input_path)


@pytest.mark.parametrize("text", SCRIPTS.values(), ids=SCRIPTS)
def test_every_script_has_a_font(text: str) -> None:
    for run in runs(text):
        assert all(run.face.has(character) for character in run.text)
    assert len(runs(text)) == 1
    assert np.asarray(text_picture(text, 300, 40)).min() < 100


def test_pillow_shapes_text() -> None:
    """Arabic letters join and Indic marks move only with raqm, which Pillow's wheels carry."""
    assert features.check("raqm")
    joined, apart = text_width("سلام", 40), sum(text_width(letter, 40) for letter in "سلام")
    assert joined < 0.9 * apart


@given(st.text(max_size=40), st.integers(1, 200), st.integers(1, 60))
@settings(max_examples=60, deadline=None)
def test_no_text_is_a_crash(text: str, width: int, height: int) -> None:
    assert text_picture(text, width, height).size == (width, height)
    assert "".join(run.text for run in sorted(runs(text), key=lambda run: run.text)) or not text


def test_text_keeps_its_characters_in_runs() -> None:
    text = "abc 中文 123 مرحبا x"
    assert sorted("".join(run.text for run in runs(text))) == sorted(text)


def test_missing_font_packages_are_said_and_pillows_own_font_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "find_spec", lambda name: None)
    fonts._package.cache_clear()
    with pytest.warns(UserWarning, match=r"pip install 'tritonocr\[viz\]'"):
        assert np.asarray(text_picture("Hello 中文", 200, 40)).min() < 100
    fonts._package.cache_clear()


def test_text_that_reads_right_to_left_stands_at_the_right() -> None:
    columns = np.flatnonzero(np.asarray(text_picture("שלום", 400, 40)).min(axis=(0, 2)) < 128)
    assert columns.min() > 200
    columns = np.flatnonzero(np.asarray(text_picture("left", 400, 40)).min(axis=(0, 2)) < 128)
    assert columns.max() < 200


def test_low_marks_stay_in_the_strip() -> None:
    """Kannada's conjuncts hang lower than Latin descenders; they were cut off once."""
    text = "ನಮಸ್ಕಾರ ಜಗತ್ತು"
    roomy = Image.new("RGB", (400, 200), "white")
    draw_text(ImageDraw.Draw(roomy), 0, 100, text, fitted_size(text, 400, 44))
    heights = [
        int((np.asarray(picture).min(axis=(1, 2)) < 128).sum())
        for picture in (text_picture(text, 400, 44), roomy)
    ]
    assert heights[0] == heights[1]


def test_the_drawing_is_page_and_texts_side_by_side() -> None:
    page = Image.new("RGB", (200, 100), "white")
    poly = np.array([[10, 10], [150, 10], [150, 40], [10, 40]], np.int16)
    drawn = np.asarray(ocr_picture(page, [poly], ["Hello"]))
    assert drawn.shape == (100, 400, 3)
    left, right = drawn[:, :200], drawn[:, 200:]
    assert (left[20, 100] != 255).any()
    assert (left[60:] == 255).all()
    assert (right[12:39, 12:149].min(axis=2) < 100).any()
    assert (right[45:] == 255).all()


def test_the_same_result_is_drawn_the_same() -> None:
    page = Image.new("RGB", (200, 100), "white")
    polys = [np.array([[x, 10], [x + 40, 10], [x + 40, 40], [x, 40]]) for x in (0, 60, 120)]
    first, second = (np.asarray(ocr_picture(page, polys, ["a", "b", "c"])) for _ in range(2))
    assert (first == second).all()


@pytest.mark.parametrize(
    "poly",
    [
        [[5, 5], [5, 5], [5, 5], [5, 5]],
        [[5, 5], [50, 5], [90, 5], [20, 5]],
        [[-9, -9], [500, -9], [500, 500], [-9, 500]],
        [[0, 0], [3, 0], [3, 900], [0, 900]],
    ],
    ids=["a point", "a line", "beyond the page", "very tall"],
)
def test_odd_polygons_are_drawn_or_left_out(poly: list[list[int]]) -> None:
    page = Image.new("RGB", (100, 100))
    assert ocr_picture(page, [np.array(poly)], ["text"]).size == (200, 100)


def test_a_tall_box_gets_its_text_downwards() -> None:
    page = Image.new("RGB", (60, 200), "white")
    poly = np.array([[10, 0], [40, 0], [40, 200], [10, 200]])
    right = np.asarray(ocr_picture(page, [poly], ["iiiiiiiiiiiiiiiiii"]))[2:-2, 72:98]
    rows = (right.min(axis=2) < 128).any(axis=1)
    assert np.flatnonzero(rows).max() - np.flatnonzero(rows).min() > 60


@pytest.mark.parametrize("angle", [-1, 0, 90, 180, 270])
def test_preprocessing_is_shown_in_three_panels(angle: int) -> None:
    page = Image.new("RGB", (40, 60))
    shown = preprocessing_picture(page, angle, Image.new("RGB", (50, 50)))
    middle = 60 if angle in (90, 270) else 40
    assert shown.width == 40 + middle + 50 + 20


def test_img_has_paddlexs_keys() -> None:
    (result,) = results_of("a")
    assert list(result.img) == ["ocr_res_img", "preprocessed_img"]
    assert result.img["ocr_res_img"].size == (120, 40)
    (result,) = results_of("a", preprocessed_images=np.empty(0, np.object_))
    assert result.img["ocr_res_img"].size == (80, 60)


@pytest.mark.parametrize(
    ("input_path", "save_path", "written"),
    [
        ("a.jpg", "out", ["out/a_ocr_res_img.jpg", "out/a_preprocessed_img.jpg"]),
        ("b/a.TIFF", "out", ["out/a_ocr_res_img.TIFF", "out/a_preprocessed_img.TIFF"]),
        ("a.gif", "out", ["out/a_ocr_res_img.png", "out/a_preprocessed_img.png"]),
        (None, "out", ["out/image_01234567_ocr_res_img.png", "out/image_01234567_preprocessed_img.png"]),
        ("a.jpg", "out/mine.png", ["out/mine.png", "out/mine_preprocessed_img.png"]),
    ],
)
def test_pictures_are_saved_under_paddlexs_names(
    tmp_path: Path, input_path: str | None, save_path: str, written: list[str]
) -> None:
    (result,) = results_of("a", input_path=input_path)
    assert result.save_to_img(tmp_path / save_path) == [tmp_path / name for name in written]
    for path in (tmp_path / "out").iterdir():
        with Image.open(path) as picture:
            picture.load()


def test_an_unknown_suffix_is_refused_by_name(tmp_path: Path) -> None:
    (result,) = results_of("a")
    with pytest.raises(InvalidInputError, match=r"Cannot write a picture as '\.doc'"):
        result.save_to_img(tmp_path / "a.doc")


@pytest.mark.parametrize(
    ("name", "side", "suffix"),
    [("a.jpg", 65500, ".jpg"), ("a.jpg", 65501, ".png"), ("a.webp", 16384, ".png"), ("a.pdf", 9, ".png")],
)
def test_a_picture_too_large_for_the_inputs_format_is_a_png(name: str, side: int, suffix: str) -> None:
    assert picture_suffix(name, (side, 1)) == suffix


def test_a_picture_that_its_format_cannot_hold_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="Cannot write the picture as WEBP"):
        encoded_picture(Image.new("RGB", (16385, 1)), ".webp")


@pytest.mark.parametrize("text", [*SCRIPTS.values(), "astral 𠀀 😀", "1 & 2 < 3"])
def test_a_pdf_is_searchable_in_every_script(text: str) -> None:
    pdf = pypdfium2.PdfDocument(searchable_pdf(results_of(text)))
    page = pdf[0]
    assert page.get_size() == (30, 20)  # 60 x 40 px at 144 dpi
    assert page.get_textpage().get_text_range().strip() == text
    pdf.close()


def test_the_pdfs_text_lies_on_its_line() -> None:
    poly = np.array([[[10, 10], [50, 10], [50, 20], [10, 20]]], np.int32)
    pdf = pypdfium2.PdfDocument(searchable_pdf(results_of("abcd", rec_polys=poly, dt_polys=poly)))
    text_page = pdf[0].get_textpage()
    boxes = np.array([text_page.get_charbox(index, loose=True) for index in range(4)])
    assert boxes[:, 0] == pytest.approx([5, 10, 15, 20], abs=0.1)  # points from the left
    assert boxes[0, 2] == pytest.approx(10, abs=0.1)
    assert ((boxes[:, 1] > 8) & (boxes[:, 3] < 16)).all()  # points from the bottom of 20
    pdf.close()


def test_a_pdf_shows_the_page_and_hides_the_text() -> None:
    pdf = pypdfium2.PdfDocument(searchable_pdf(results_of("a")))
    shown = pdf[0].render(scale=2).to_numpy()
    assert np.ptp(shown.reshape(-1, 3).astype(int), axis=0).max() < 12
    pdf.close()


def test_pages_become_one_pdf_and_the_same_pages_the_same_bytes() -> None:
    pages = results_of("a", "b", pages=2)
    pdf = pypdfium2.PdfDocument(searchable_pdf(pages))
    assert len(pdf) == 2
    pdf.close()
    assert searchable_pdf(pages) == searchable_pdf(pages)


def test_the_demo_page_has_work_for_every_stage() -> None:
    page = demo_page()
    assert page.shape == (1280, 960, 3)
    assert page.dtype == np.uint8
    assert (page == demo_page()).all()
    angles = {line.angle for line in DEMO_LINES}
    assert {0, 180, -90} <= angles
    assert any(0 < abs(angle) < 10 for angle in angles)
    assert len({line.text for line in DEMO_LINES}) == len(DEMO_LINES)
