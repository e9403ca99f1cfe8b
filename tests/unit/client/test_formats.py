"""The formats that pages are written in, read back by other programs' parsers."""

import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hocr_tools_lib.tools.hocr_check import Checker
from kserve_fake import answer_with_lines, decoded, texts
from lxml import etree
from xml_schemas import schema

from tritonocr import FORMATS, InvalidInputError, OCRFailure, OCRResult, formatted, save_document
from tritonocr._options import DEFAULTS

HTML = "{http://www.w3.org/1999/xhtml}"
ALTO = "{http://www.loc.gov/standards/alto/ns-v4#}"
PAGE = "{http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15}"

# Each row: the text, its quad, its block's kind, its row, and why it is here.
LINES: list[tuple[str, list[tuple[int, int]], str, int]] = [
    ('Heading <&> "x" \'', [(10, 10), (110, 10), (110, 30), (10, 30)], "heading", 0),  # XML's own characters
    ("a\x00\x07\ufffe\udc80 b", [(10, 40), (110, 40), (110, 60), (10, 60)], "paragraph", 1),  # not in XML 1.0
    ("# no heading", [(10, 62), (110, 62), (110, 80), (10, 80)], "paragraph", 2),  # Markdown's own characters
    ("Tea | milk", [(10, 90), (60, 90), (60, 100), (10, 100)], "table", 3),
    ("3,50", [(80, 90), (110, 90), (110, 100), (80, 100)], "table", 3),
    ("Rye bread", [(10, 104), (58, 104), (58, 114), (10, 114)], "table", 4),
    ("12,00", [(82, 104), (110, 104), (110, 114), (82, 114)], "table", 4),
    ("مرحبا بالعالم", [(10, 120), (110, 120), (110, 140), (10, 140)], "paragraph", 5),  # right to left
    ("竖排文字", [(120, 10), (150, 10), (150, 130), (120, 130)], "paragraph", 6),  # from top to bottom
    ("tilted line", [(10, 150), (110, 160), (108, 180), (8, 170)], "footnote", 7),
    ("cut", [(-4, 190), (30, 190), (30, 199), (-4, 199)], "page_number", 8),  # crosses the page's edge
    (" ", [(60, 190), (70, 190), (70, 199), (60, 199)], "odd", 9),  # no word, and an unknown kind
]
WORDS = [
    (0, "Heading"), (0, " "), (0, "<"), (0, "&"), (0, ">"), (0, " "), (0, '"'), (0, "x"), (0, '"'), (0, " "),
    (0, "'"), (8, "竖"), (8, "排"), (8, "文"), (8, "字"),
]  # fmt: skip


def pages_of(count: int = 1, *, words: bool = False, name: str = 'in/a "b" <&>.pdf') -> list[OCRResult]:
    """Pages of 160 x 200 pixels: the first has `LINES`, the others no text."""
    quads = np.array([quad for _, quad, _, _ in LINES], np.int32)
    rows = np.array([row for *_, row in LINES], np.int32)
    kinds = [kind for _, _, kind, _ in LINES]
    blocks = np.cumsum([index > 0 and kinds[index] != kinds[index - 1] for index in range(len(kinds))])
    tensors = answer_with_lines(["" for _ in LINES], pages=count) | {
        "page_sizes": np.array([[200, 160]] * count, np.int32),
        "rec_texts": np.array([text.encode("utf-8", "surrogatepass") for text, *_ in LINES], np.object_),
        "rec_polys": quads,
        "rec_boxes": np.concatenate([quads.min(axis=1), quads.max(axis=1)], axis=1),
        "row_index": rows,
        "block_index": blocks.astype(np.int32),
        "block_kind": texts(kinds),
    }
    tensors["rec_texts"][1] = b"a\x00\x07\xef\xbf\xbe b"
    if words:
        tensors |= word_tensors(quads)
    return decoded(tensors, {**DEFAULTS, "return_word_box": words}, input_path=name, is_pdf=True)


def word_tensors(quads: Any) -> dict[str, Any]:
    lines = np.array([line for line, _ in WORDS], np.int32)
    counts = np.bincount(lines)
    polys = []
    for line, index in zip(lines, np.arange(len(lines)) - np.searchsorted(lines, lines), strict=True):
        corners = np.roll(quads[line], -1, axis=0) if line == 8 else quads[line]
        along = (corners[1] - corners[0]) / counts[line]
        polys.append(np.rint([corners[0] + along * index, corners[0] + along * (index + 1),
                              corners[3] + along * (index + 1), corners[3] + along * index]))  # fmt: skip
    return {
        "word_line_index": lines,
        "word_texts": texts([word for _, word in WORDS]),
        "word_polys": np.array(polys, np.int32),
        "word_boxes": np.array([[*poly.min(axis=0), *poly.max(axis=0)] for poly in polys], np.int32),
        "word_scores": np.linspace(0.5, 1, len(WORDS), dtype=np.float32),
    }


def test_characters_stand_within_their_words() -> None:
    (page,) = pages_of(words=True)
    counts = [len(text) if text.startswith("Heading") else 0 for text in page["rec_texts"]]
    page["text_char"] = [list(text[:count]) for text, count in zip(page["rec_texts"], counts, strict=True)]
    page["text_char_polys"] = [np.ones((count, 4, 2), np.int32) for count in counts]
    page["text_char_scores"] = [[0.25] * count for count in counts]
    alto, xml = ET.fromstring(page.formatted("alto").encode()), ET.fromstring(page.formatted("page").encode())
    words = ["".join(glyph.get("CONTENT", "") for glyph in word) for word in alto.iter(f"{ALTO}String")]
    assert words[:4] == ["Heading", "<&>", '"x"', "'"]
    glyphs = [glyph.findtext(f"{PAGE}TextEquiv/{PAGE}Unicode") for glyph in xml.iter(f"{PAGE}Glyph")]
    assert "".join(map(str, glyphs)) == 'Heading<&>"x"\''
    assert page.hocr.count("x_bboxes 1 1 1 1; x_conf 25.00") == len(glyphs)


def document(name: str, count: int = 1, *, words: bool = False) -> str:
    return "".join(formatted(pages_of(count, words=words), name))


def expected_texts() -> list[str]:
    """The texts with U+FFFD for what XML cannot hold, without the line of a space."""
    lines = pages_of()[0]["rec_texts"]
    return [re.sub("[\x00\x07\ufffe]", "\ufffd", text) for text in lines if text.strip()]


@pytest.mark.parametrize("words", [False, True])
def test_hocr_passes_the_check_of_hocr_tools(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: bool
) -> None:
    path = tmp_path / "a.hocr"
    path.write_text(document("hocr", 3, words=words), encoding="utf-8")
    Checker(path).check()
    assert [line for line in capsys.readouterr().out.splitlines() if not line.startswith("ok ")] == []
    pages = ET.parse(path).findall(f".//{HTML}div[@class='ocr_page']")
    assert [page.get("title", "").split("; ")[1:] for page in pages] == [
        ["bbox 0 0 160 200", f"ppageno {number}"] for number in range(3)
    ]
    lines = [
        " ".join(word.text or "" for word in line)
        for line in pages[0].findall(f".//{HTML}span[@class='ocr_line']")
    ]
    assert [line for line in lines if line] == [
        "竖 排 文 字" if words and text == "竖排文字" else text for text in expected_texts()
    ]


def test_hocr_tells_the_direction_and_the_slope_of_lines() -> None:
    lines = ET.fromstring(pages_of()[0].hocr).findall(f".//{HTML}span[@class='ocr_line']")
    titles = [line.get("title", "") for line in lines]
    assert "textangle 270" in titles[8], "text that runs down"
    slope, offset = titles[9].split("baseline ")[1].split()
    assert (float(slope), int(offset)) == (pytest.approx(0.098, abs=0.002), -14)
    assert [line.get("title", "") for line in lines if "textangle" in line.get("title", "")] == [titles[8]]


@pytest.mark.parametrize("words", [False, True])
def test_alto_has_every_line_word_and_kind(words: bool) -> None:
    root = ET.fromstring(document("alto", 2, words=words).encode())
    assert [page.get("PHYSICAL_IMG_NR") for page in root.iter(f"{ALTO}Page")] == ["1", "2"]
    tags = {tag.get("ID"): tag.get("LABEL") for tag in root.iter(f"{ALTO}StructureTag")}
    kinds = [tags.get(block.get("TAGREFS")) for block in root.iter(f"{ALTO}TextBlock")]
    assert kinds == ["heading", "paragraph", "table", "paragraph", "footnote", "page_number", None]
    lines = [
        "".join(" " if part.tag == f"{ALTO}SP" else part.get("CONTENT", "") for part in line)
        for line in root.iter(f"{ALTO}TextLine")
    ]
    assert [line for line in lines if line] == expected_texts()
    confidences = [float(word.get("WC", "0.5")) for word in root.iter(f"{ALTO}String")]
    assert all(0 <= confidence <= 1 for confidence in confidences)


@pytest.mark.parametrize("words", [False, True])
def test_page_xml_has_every_line_in_reading_order(words: bool) -> None:
    root = ET.fromstring(document("page", words=words).encode())
    order = [reference.get("regionRef") for reference in root.iter(f"{PAGE}RegionRefIndexed")]
    assert order == [region.get("id") for region in root.iter(f"{PAGE}TextRegion")]
    lines = [line.findtext(f"{PAGE}TextEquiv/{PAGE}Unicode") for line in root.iter(f"{PAGE}TextLine")]
    assert [line for line in lines if line and line.strip()] == expected_texts()
    points = [coords.get("points", "") for coords in root.iter(f"{PAGE}Coords")]
    assert all(re.fullmatch(r"(\d+,\d+ )+\d+,\d+", value) for value in points), "no negative number"


@pytest.mark.parametrize("words", [False, True])
@pytest.mark.parametrize("name", ["alto", "page"])
def test_xml_is_valid_against_its_schema(name: str, words: bool) -> None:
    for page in pages_of(2, words=words):
        schema(name).assertValid(etree.fromstring(page.formatted(name).encode()))


def test_the_schemas_reject_what_they_do_not_know() -> None:
    for name in ("alto", "page"):
        document = etree.fromstring(pages_of()[0].formatted(name).encode())
        document[-1].set("COLOUR", "blue")
        assert not schema(name).validate(document)


def test_tsv_has_tesseracts_columns_and_levels() -> None:
    rows = list(csv.DictReader(io.StringIO(document("tsv", 2)), delimiter="\t", quoting=csv.QUOTE_NONE))
    assert " ".join(rows[0]) == (
        "level page_num block_num par_num line_num word_num left top width height conf text"
    )
    assert [row["page_num"] for row in rows if row["level"] == "1"] == ["1", "2"]
    first = [row for row in rows if row["block_num"] == "1"]
    assert [row["level"] for row in first] == ["2", "3", "4", "5", "5", "5", "5"]
    assert [row["text"] for row in first if row["level"] == "5"] == ["Heading", "<&>", '"x"', "'"]
    assert {row["conf"] for row in rows if row["level"] != "5"} == {"-1"}
    assert {row["conf"] for row in rows if row["level"] == "5"} == {"50.000000"}


def test_csv_has_a_record_per_line() -> None:
    records = list(csv.DictReader(io.StringIO(document("csv"), newline="")))
    assert [record["text"] for record in records] == pages_of()[0]["rec_texts"]
    assert records[4] | {"polygon": ""} == {
        "file": 'in/a "b" <&>.pdf', "page": "1", "block": "3", "block_kind": "table", "row": "4", "line": "5",
        "text": "3,50", "score": "0.5000", "left": "80", "top": "90", "right": "110", "bottom": "100",
        "polygon": "",
    }  # fmt: skip


def test_ndjson_has_a_line_per_page_and_json_the_page() -> None:
    pages = pages_of(3, words=True)
    assert [json.loads(line) for line in formatted(pages, "ndjson")] == [page.json["res"] for page in pages]
    assert json.loads(pages[0].formatted("json")) == pages[0].json["res"]


def test_markdown_has_headings_paragraphs_and_tables() -> None:
    (page,) = pages_of()
    blocks = page.markdown.split("\n\n")
    assert blocks[0].startswith("## Heading \\<\\&\\>")
    assert blocks[1].splitlines()[-1] == "\\# no heading"
    assert blocks[2] == "| Tea \\| milk | 3,50 |\n| --- | --- |\n| Rye bread | 12,00 |"


def test_a_table_without_clear_columns_keeps_its_rows() -> None:
    (page,) = pages_of()
    page["rec_polys"][5][:, 0] = [10, 110, 110, 10]  # "Rye bread" crosses both columns
    assert page.markdown.split("\n\n")[2] == "Tea \\| milk 3,50  \nRye bread 12,00"


def test_words_are_joined_where_no_space_parts_them() -> None:
    words = {line.get("id"): [word.text for word in line] for line in ET.fromstring(
        pages_of(words=True)[0].hocr).iter(f"{HTML}span") if line.get("class") == "ocr_line"}  # fmt: skip
    assert words["line_1_1_1"] == ["Heading", "<&>", '"x"', "'"]
    assert words["line_1_4_2"] == ["竖", "排", "文", "字"]


@pytest.mark.parametrize("name", [name for name, row in FORMATS.items() if not row.holds_one_page])
def test_pages_are_written_as_they_come(name: str) -> None:
    drawn = []

    def pages() -> Iterator[OCRResult]:
        for page in pages_of() * 4:
            drawn.append(page)
            yield page

    pieces = formatted(pages(), name)
    while len(drawn) < 2:
        next(pieces)
    assert len(drawn) == 2, "the third page is not taken before the second one is written"


@pytest.mark.parametrize("name", ["json", "page"])
def test_a_format_of_one_page_rejects_more(name: str) -> None:
    with pytest.raises(InvalidInputError, match=f"'{name}' holds one page, but the file has more"):
        document(name, 2)


@pytest.mark.parametrize("name", ["", "docx", "HOCR"])
def test_an_unknown_format_is_one_sentence_with_the_known_ones(tmp_path: Path, name: str) -> None:
    sentence = f"The format is {name!r}; expected one of {', '.join(FORMATS)}"
    for write, more in (
        (pages_of()[0].formatted, "."),
        (lambda name: save_document(pages_of(), tmp_path, format=name), ", pdf, pdfa."),
    ):
        with pytest.raises(InvalidInputError) as raised:
            write(name)
        assert str(raised.value) == sentence + more
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", FORMATS)
def test_a_page_without_text_is_a_document(name: str) -> None:
    empty = pages_of(2)[1]
    content = empty.formatted(name)
    if name in ("hocr", "alto", "page"):
        ET.fromstring(content.encode())
    assert "None" not in content


def test_a_document_of_many_pages_is_one_file(tmp_path: Path) -> None:
    path = save_document(iter(pages_of(3, name="x.pdf")), tmp_path, format="hocr")
    assert path == tmp_path / "x_0_res.hocr" or path == tmp_path / "x_res.hocr"
    assert path is not None
    assert path.read_text(encoding="utf-8").count('class="ocr_page"') == 3
    assert pages_of(2, name="x.pdf")[1].save(tmp_path, format="alto").name == "x_1_res.alto.xml"
    assert pages_of()[0].save_to_hocr(tmp_path / "mine.html").name == "mine.html"


def test_no_file_is_left_where_the_input_fails(tmp_path: Path) -> None:
    pages = [pages_of(2)[0], OCRFailure("x.pdf", InvalidInputError("file: got a bad one"))]
    with pytest.raises(InvalidInputError, match="got a bad one"):
        save_document(pages, tmp_path, format="alto")
    assert not list(tmp_path.iterdir())
    assert save_document([], tmp_path, format="alto") is None
