"""OCRResult against PaddleX's own results, and its files."""

import hashlib
import io
import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pypdfium2
import pytest
from beside_checkout import SHARED, shared
from kserve_fake import answer_with_lines, blank_answer, decoded, one_block, texts
from PIL import Image
from shared_files import tutorial

from tritonocr import InvalidInputError, OCRFailure, OCRResult, searchable_pdf
from tritonocr._options import DEFAULTS
from tritonocr._results.reading_order import TextBlock
from tritonocr._results.saving import encoded_picture

RECORDED = sorted(SHARED.glob("corpus/reference/paddlex_*/*/*.json"))
# Keys of PaddleX 3.7 that 3.0 has not; `return_word_box` is ours too where words were asked for.
NEWER_KEYS = ("return_word_box",)
LAYOUT_KEYS = ("reading_order", "row_index", "block_index", "block_kind")


def without_layout(fields: dict[str, Any]) -> dict[str, Any]:
    """The keys that PaddleX has, without those that TritonOCR adds for the reading order."""
    return {name: value for name, value in fields.items() if name not in LAYOUT_KEYS}


def tensors_of(recorded: dict[str, Any]) -> dict[str, Any]:
    """What our server would answer for a recorded result."""
    boxes, lines = len(recorded["dt_polys"]), len(recorded["rec_texts"])
    angle = recorded.get("doc_preprocessor_res", {}).get("angle", -1)
    return {
        **blank_answer(),
        "doc_angle": np.array([angle], np.int32),
        "dt_page_index": np.zeros(boxes, np.int32),
        "dt_polys": np.array(recorded["dt_polys"], np.int32).reshape(-1, 4, 2),
        "dt_scores": np.full(boxes, 0.75, np.float32),
        "textline_orientation_angles": np.array(recorded.get("textline_orientation_angles", []), np.int32),
        "page_index": np.zeros(lines, np.int32),
        "rec_texts": np.array([text.encode() for text in recorded["rec_texts"]], np.object_),
        "rec_scores": np.array(recorded["rec_scores"], np.float32),
        "rec_polys": np.array(recorded["rec_polys"], np.int32).reshape(-1, 4, 2),
        "rec_boxes": np.array(recorded["rec_boxes"], np.int32).reshape(-1, 4),
        **one_block(np.zeros(lines, np.int32)),
    }


def settings_of(recorded: dict[str, Any]) -> dict[str, Any]:
    settings = recorded.get("doc_preprocessor_res", {}).get("model_settings", {})
    off = {"use_doc_orientation_classify": False, "use_doc_unwarping": False}
    model_settings = {"use_textline_orientation": recorded["model_settings"]["use_textline_orientation"]}
    return {**DEFAULTS, **off, **settings, **model_settings}


def expected_of(recorded: dict[str, Any]) -> dict[str, Any]:
    """The recorded result without newer keys, with those that it leaves out and the tutorial promises."""
    expected = {}
    for key, value in recorded.items():
        if key == "text_det_params":
            value = {name: number for name, number in value.items() if name != "max_side_limit"}
        if key == "doc_preprocessor_res":  # PaddleX does not say whether it flattened the page
            value = {**value, "unwarped": False}
        if key not in NEWER_KEYS:
            expected[key] = value
        if key == "dt_polys":
            expected["dt_scores"] = [0.75] * len(value)
        if key == "text_type":  # 3.7 leaves the empty list out
            expected["textline_orientation_angles"] = []
    return expected


@pytest.mark.parametrize("file", RECORDED, ids=lambda file: "/".join(file.parts[-3:]))
def test_a_recorded_answer_comes_out_as_paddlex_wrote_it(file: Path) -> None:
    recorded = json.loads(file.read_text(encoding="utf-8"))["res"]
    (result,) = decoded(
        tensors_of(recorded), settings_of(recorded), input_path=recorded["input_path"], is_pdf=False
    )
    ours, expected = result.json["res"], expected_of(recorded)
    assert [name for name in ours if name in LAYOUT_KEYS] == list(LAYOUT_KEYS)
    ours = without_layout(ours)
    assert ours == expected
    assert list(ours) == list(expected)
    assert json.loads(json.dumps(ours)) == ours


def result_of(*lines: str, input_path: str | None = "scans/page 1.jpg", **changes: Any) -> OCRResult:
    settings = {**DEFAULTS, "use_doc_unwarping": False}
    tensors = {**answer_with_lines(list(lines)), **changes}
    (result,) = decoded(tensors, settings, input_path=input_path)
    return result


def test_word_boxes_come_out_as_paddlex_wrote_them() -> None:
    recorded = json.loads((shared("corpus/reference") / "word_box_example.json").read_text(encoding="utf-8"))[
        "res"
    ]
    words = [(line, word, box) for line, (texts, boxes) in enumerate(
        zip(recorded["text_word"], recorded["text_word_boxes"], strict=True)
    ) for word, box in zip(texts, boxes, strict=True)]  # fmt: skip
    tensors = tensors_of(recorded) | {
        "word_line_index": np.array([line for line, _, _ in words], np.int32),
        "word_texts": np.array([word.encode() for _, word, _ in words], np.object_),
        "word_boxes": np.array([box for _, _, box in words], np.int32),
        "word_polys": np.zeros((len(words), 4, 2), np.int32),
        "word_scores": np.full(len(words), 0.5, np.float32),
    }
    settings = {**settings_of(recorded), "return_word_box": True}
    (result,) = decoded(tensors, settings, input_path=recorded["input_path"], is_pdf=False)
    expected = expected_of(recorded)
    expected["return_word_box"] = True
    ours = without_layout(result.json["res"])
    added = {ours.pop("text_word_polys") is None, ours.pop("text_word_scores") is None}
    assert added == {False}, "keys of our own beside PaddleX's"
    assert ours == expected
    order = [key for key in recorded if key in ("rec_boxes", "text_word_boxes", "text_word")]
    assert [key for key in result if key in order] == order


def test_the_fields_are_the_tutorials() -> None:
    start = tutorial().index("- 调用`print()` 方法会将结果打印到终端")
    listed = re.findall(r"^    - `(\w+)`:", tutorial()[start:], flags=re.MULTILINE)
    assert len(listed) == 13
    (result,) = decoded(answer_with_lines(["a"]), DEFAULTS, input_path="a.png", is_pdf=False)
    assert set(listed) | {"text_type"} == set(without_layout(result))


@pytest.mark.parametrize(("edge", "dtype"), [(32767, np.int16), (32768, np.int32)])
def test_coordinates_are_int16_where_they_fit(edge: int, dtype: type) -> None:
    polys = np.array([[[0, 0], [edge, 0], [edge, 9], [0, 9]]], np.int32)
    boxes = np.array([[0, 0, edge, 9]], np.int32)
    result = result_of("a", dt_polys=polys, rec_polys=polys, rec_boxes=boxes)
    assert result["dt_polys"][0].dtype == result["rec_polys"][0].dtype == result["rec_boxes"].dtype == dtype
    assert result["rec_boxes"].tolist() == boxes.tolist()


def test_print_writes_json_or_python(capsys: pytest.CaptureFixture[str]) -> None:
    result = result_of("ä")
    result.print()
    assert json.loads(capsys.readouterr().out) == result.json
    result.print(indent=1, ensure_ascii=True)
    assert '\n "res": {\n' in (text := capsys.readouterr().out)
    assert "\\u00e4" in text
    result.print(format_json=False)
    assert "array([[0, 0]" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("save_path", "written"),
    [
        ("out", "out/page 1_res.json"),
        ("out/deeper/", "out/deeper/page 1_res.json"),
        ("out/mine.json", "out/mine.json"),
        ("out.v1/", "out.v1/page 1_res.json"),
    ],
)
def test_json_goes_where_the_tutorial_says(tmp_path: Path, save_path: str, written: str) -> None:
    result = result_of("ä")
    assert result.save_to_json(f"{tmp_path}/{save_path}") == tmp_path / written
    content = (tmp_path / written).read_text(encoding="utf-8")
    assert json.loads(content) == result.json["res"]
    assert "ä" in content
    assert content.startswith('{\n    "input_path"')


def test_a_directory_with_a_suffix_is_a_directory(tmp_path: Path) -> None:
    (tmp_path / "results.d").mkdir()
    assert result_of("a").save_to_json(tmp_path / "results.d").name == "page 1_res.json"


def test_pages_of_a_pdf_are_named_with_their_number(tmp_path: Path) -> None:
    results = decoded(blank_answer(2), DEFAULTS, input_path="a.pdf", is_pdf=True)
    assert [result.save_to_json(tmp_path).name for result in results] == ["a_0_res.json", "a_1_res.json"]


def test_pixels_have_a_name_of_their_request(tmp_path: Path) -> None:
    assert result_of("a", input_path=None).save_to_text(tmp_path).name == "image_01234567_res.txt"


@pytest.mark.parametrize(
    ("input_path", "name"),
    [
        pytest.param("http://h/scan.png?token=e/y.j", "scan_res.json", id="the query is no part of the name"),
        pytest.param("http://h/a%20b%2Fc.png#x", "c_res.json", id="escapes are decoded"),
        pytest.param("https://h:81", "url_res.json", id="an address without a path"),
        pytest.param("b\udcb7\udca2.png", "b\udcb7\udca2_res.json", id="a name that is not UTF-8 (GBK)"),
        pytest.param("很" * 83 + ".png", "很" * 63 + "~{}_res.json", id="249 bytes of Chinese"),
        pytest.param("a" * 251 + ".png", "a" * 191 + "~{}_res.json", id="the longest name of a file"),
    ],
)
def test_names_of_saved_files_suit_the_file_system(tmp_path: Path, input_path: str, name: str) -> None:
    result = result_of("a", input_path=input_path)
    written = result.save_to_json(tmp_path)
    digest = hashlib.sha256(Path(input_path).stem.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    assert written.name == name.format(digest)
    assert [path.name for path in tmp_path.iterdir()] == [written.name]
    assert json.loads(written.read_text(encoding="utf-8"))["input_path"] == input_path
    assert result.save_to_text(tmp_path).read_text(encoding="utf-8") == "a\n"


def test_long_names_that_differ_at_their_ends_stay_different(tmp_path: Path) -> None:
    names = {
        result_of("a", input_path="x" * 220 + f"{number}.png").save_to_text(tmp_path).name for number in "12"
    }
    assert len(names) == 2


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "cp1252", "utf-8"])
def test_printed_json_is_valid_in_every_encoding(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    result = result_of("竖排é😀", input_path="b\udcb7.png")
    result.print()
    result.print(format_json=False)
    stream.flush()
    printed = stream.buffer.getvalue().decode(encoding)  # type: ignore[attr-defined]
    parsed, _ = json.JSONDecoder().raw_decode(printed)
    assert parsed == result.json


def test_nothing_half_written_is_left(tmp_path: Path) -> None:
    result_of("a").save_to_json(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["page 1_res.json"]


def test_pictures_that_were_not_asked_for_are_an_error_that_says_how() -> None:
    with pytest.raises(InvalidInputError, match="return_page_images=True"):
        _ = result_of("a").img


def test_text_and_markdown_follow_the_reading_order(tmp_path: Path) -> None:
    layout = {
        "reading_order": np.array([1, 0, 2, 3], np.int32),
        "row_index": np.array([0, 0, 1, 2], np.int32),
        "block_index": np.array([0, 0, 0, 1], np.int32),
        "block_kind": texts(["table", "table", "table", "paragraph"]),
    }
    result = result_of("right", "left", "*below*", "1. far", **layout)
    assert result.blocks == [TextBlock("table", ((1, 0), (2,))), TextBlock("paragraph", ((3,),))]
    assert [block.lines for block in result.blocks] == [(1, 0, 2), (3,)]
    assert result.text == "left right\n*below*\n1. far"
    assert result.markdown == "left right  \n\\*below\\*\n\n1\\. far"
    assert result.save_to_markdown(tmp_path).read_text() == result.markdown + "\n"
    assert result.save_to_text(tmp_path).read_text() == result.text + "\n"


def test_warnings_and_errors_of_pages_stand_in_the_result() -> None:
    tensors = {
        **blank_answer(pages=3),
        "page_warnings": texts(["[]", '[{"code": "rendered_smaller", "message": "It is large."}]', "[]"]),
        "page_errors": texts(["", "", '{"code": "too_large", "message": "Page 2 is too large."}']),
    }
    plain, warned, failed = decoded(tensors, {}, input_path="a.pdf")
    assert (plain.ok, plain.error, plain.warnings) == (True, None, ())
    assert plain.json["res"].keys() & {"warnings", "error"} == set(), "PaddleX's keys alone"
    assert warned.ok
    assert [(warning.code, warning.message) for warning in warned.warnings] == [
        ("rendered_smaller", "It is large.")
    ]
    assert warned.json["res"]["warnings"] == [{"code": "rendered_smaller", "message": "It is large."}]
    assert not failed.ok
    assert isinstance(failed.error, InvalidInputError)
    assert failed.json["res"]["error"] == {"code": "too_large", "message": "Page 2 is too large."}
    with pytest.raises(InvalidInputError, match="Page 2 is too large"):
        failed.page_picture()


def test_lines_say_where_they_come_from() -> None:
    tensors = {**answer_with_lines(["a", "b"]), "rec_sources": texts(["pdf", "ocr"])}
    (page,) = decoded(tensors, {"pdf_text": "auto"}, input_path="a.pdf")
    assert page.json["res"]["rec_sources"] == ["pdf", "ocr"]
    (page,) = decoded(answer_with_lines(["a", "b"]), {}, input_path="a.pdf")
    assert "rec_sources" not in page


def test_a_searchable_pdf_has_a_blank_page_for_a_page_that_was_not_read() -> None:
    picture = np.array([encoded_picture(Image.new("RGB", (10, 20)), ".jpg"), b""], np.object_)
    tensors = {**blank_answer(pages=2), "input_images": picture}
    tensors["page_errors"] = texts(["", '{"code": "unreadable", "message": "Page 1 is corrupt."}'])
    pages = decoded(tensors, {"return_page_images": True}, input_path="a.pdf")
    assert len(pypdfium2.PdfDocument(searchable_pdf(pages))) == 2


def test_a_failure_prints_and_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    failure = OCRFailure("a.jpg", InvalidInputError("file: the JPEG is truncated"))
    failure.print()
    for name in ("json", "img", "pdf", "markdown", "text"):
        getattr(failure, f"save_to_{name}")(tmp_path)
    assert not list(tmp_path.iterdir())
    assert capsys.readouterr().out == ""
    assert str(failure) == "a.jpg: file: the JPEG is truncated"
    assert failure.json["error"]["type"] == "InvalidInputError"
    assert not failure.ok
    assert result_of("a").ok


def test_a_failure_has_every_method_of_a_result() -> None:
    public = [
        name for name in vars(OCRResult) if name.startswith(("save_to", "print", "json", "img", "text"))
    ]
    assert [name for name in public if not hasattr(OCRFailure, name)] == []
