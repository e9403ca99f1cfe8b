"""PAGE XML of PRImA, version 2019-07-15: one document per page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timezone
from importlib.metadata import version

from ..page_text import PageBlock, PageText, PlacedText, TextLine
from .tsv import union_box
from .xml import Element, child, serialized

_NAMESPACE = "http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15"
_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
_REGION_TYPES = {
    "heading": "heading",
    "paragraph": "paragraph",
    "header": "header",
    "footer": "footer",
    "page_number": "page-number",
    "footnote": "footnote",
}


def write(pages: Iterable[PageText]) -> Iterator[str]:
    """Yield one document per page."""
    for page in pages:
        yield _DECLARATION + serialized(_document(page))


def _document(page: PageText) -> Element:
    document = Element("PcGts", {"xmlns": _NAMESPACE})
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    metadata = child(document, "Metadata")
    for tag, text in (
        ("Creator", f"TritonOCR {version('tritonocr')}"),
        ("Created", now),
        ("LastChange", now),
    ):
        child(metadata, tag, text)
    sides = {"imageWidth": page.width, "imageHeight": page.height}
    element = child(document, "Page", imageFilename=page.name, **sides)
    if page.blocks:
        group = child(child(element, "ReadingOrder"), "OrderedGroup", id="order")
        for index in range(len(page.blocks)):
            child(group, "RegionRefIndexed", index=index, regionRef=f"block_{index + 1}")
    for number, block in enumerate(page.blocks, 1):
        _add_block(element, block, str(number))
    return document


def _add_block(parent: Element, block: PageBlock, key: str) -> None:
    kind = {"type": _REGION_TYPES.get(block.kind, "other"), "custom": f"structure {{type:{block.kind};}}"}
    element = child(parent, "TextRegion", id=f"block_{key}", **kind)
    left, top, right, bottom = union_box(block.lines)
    child(element, "Coords", points=f"{left},{top} {right},{top} {right},{bottom} {left},{bottom}")
    for number, line in enumerate(block.lines, 1):
        _add_line(element, line, f"{key}_{number}")
    _add_text(element, "\n".join(" ".join(line.text for line in row) for row in block.rows), None)


def _add_line(parent: Element, line: TextLine, key: str) -> None:
    direction = {"readingDirection": "right-to-left"} if line.is_right_to_left else {}
    element = child(parent, "TextLine", id=f"line_{key}", **direction)
    _add_coords(element, line)
    for number, word in enumerate(line.words, 1):
        word_element = child(element, "Word", id=f"word_{key}_{number}")
        _add_coords(word_element, word)
        for index, character in enumerate(word.characters, 1):
            glyph = child(word_element, "Glyph", id=f"glyph_{key}_{number}_{index}")
            _add_coords(glyph, character)
            _add_text(glyph, character.text, character.score)
        _add_text(word_element, word.text, word.score)
    _add_text(element, line.text, line.score)


def _add_coords(parent: Element, text: PlacedText) -> None:
    points = " ".join(f"{max(round(x), 0)},{max(round(y), 0)}" for x, y in text.quad)
    child(parent, "Coords", points=points)


def _add_text(parent: Element, text: str, score: float | None) -> None:
    confidence = {} if score is None else {"conf": f"{score:.4f}"}
    child(child(parent, "TextEquiv", **confidence), "Unicode", text)
