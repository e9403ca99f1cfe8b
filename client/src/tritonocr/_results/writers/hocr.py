"""hOCR 1.2: XHTML with the classes ocr_page, ocr_carea, ocr_par, ocr_line, ocrx_word and ocrx_cinfo."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.metadata import version

from ..page_text import PageBlock, PageText, PlacedText, TextLine, TextWord
from ..reading_order import reads_right_to_left
from .tsv import union_box
from .xml import Element, child, inline

_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" \
"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html xmlns="http://www.w3.org/1999/xhtml">
<head>
<title>OCR</title>
<meta http-equiv="Content-Type" content="text/html;charset=utf-8"/>
<meta name="ocr-system" content="TritonOCR {version}"/>
<meta name="ocr-capabilities" content="ocr_page ocr_carea ocr_par ocr_line ocrx_word ocrx_cinfo"/>
</head>
<body>
"""
_TAIL = "</body>\n</html>\n"
_LARGEST_TILT_DEG = 45
_DESCENT = 0.2  # part of a line's height below its baseline


def write(pages: Iterable[PageText]) -> Iterator[str]:
    """Yield the head, each page, and the end of the document."""
    yield _HEAD.format(version=version("tritonocr"))
    for page in pages:
        yield inline(_page(page))
    yield _TAIL


def _page(page: PageText) -> Element:
    name = page.name.replace('"', "%22")
    title = f'image "{name}"; bbox 0 0 {page.width} {page.height}; ppageno {page.number - 1}'
    key = str(page.number)
    element = child(Element("body"), "div", class_="ocr_page", id=f"page_{key}", title=title)
    for number, block in enumerate(page.blocks, 1):
        _add_block(element, block, f"{key}_{number}")
    for part in element.iter():
        part.tail = None if part.get("class") == "ocrx_cinfo" else "\n"
    return element


def _add_block(parent: Element, block: PageBlock, key: str) -> None:
    title = _bbox(union_box(block.lines))
    area = child(parent, "div", class_="ocr_carea", id=f"block_{key}", title=title)
    paragraph = child(area, "p", class_="ocr_par", id=f"par_{key}", title=title)
    if reads_right_to_left(block.lines[0].text):
        paragraph.set("dir", "rtl")
    for number, line in enumerate(block.lines, 1):
        element = child(
            paragraph, "span", class_="ocr_line", id=f"line_{key}_{number}", title=_line_title(line)
        )
        for word_number, word in enumerate(line.words, 1):
            _add_word(element, word, f"{key}_{number}_{word_number}")


def _add_word(parent: Element, word: TextWord, key: str) -> None:
    title = f"{_bbox(word.box)}; x_wconf {round(100 * word.score)}"
    characters = word.characters
    element = child(
        parent, "span", None if characters else word.text, class_="ocrx_word", id=f"word_{key}", title=title
    )
    for character in characters:
        child(element, "span", character.text, class_="ocrx_cinfo", title=_character_title(character))


def _character_title(character: PlacedText) -> str:
    return f"x_bboxes {' '.join(map(str, character.box))}; x_conf {100 * character.score:.2f}"


def _bbox(box: tuple[int, int, int, int]) -> str:
    return f"bbox {' '.join(map(str, box))}"


def _line_title(line: TextLine) -> str:
    """Return the properties of a line: a baseline, or `textangle` where the text runs up or down."""
    title = _bbox(line.box)
    if abs(line.angle) > _LARGEST_TILT_DEG:
        return f"{title}; textangle {round(-line.angle) % 360}"
    left, _, right, bottom = line.box
    end, start = line.quad[2], line.quad[3]
    slope = (end[1] - start[1]) / max(right - left, 1)
    height = float(((line.quad[0] - start) ** 2).sum() ** 0.5)
    offset = start[1] - slope * (start[0] - left) - bottom - _DESCENT * height
    return f"{title}; baseline {slope:.3f} {round(offset)}"
