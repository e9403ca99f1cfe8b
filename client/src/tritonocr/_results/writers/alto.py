"""ALTO 4.4 XML of the Library of Congress."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.metadata import version

from ..page_text import PageBlock, PageText, PlacedText, TextLine, TextWord
from .tsv import size_of, union_box
from .xml import Element, child, escaped, serialized

_KINDS = ("heading", "paragraph", "table", "header", "footer", "page_number", "footnote")
_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<alto xmlns="http://www.loc.gov/standards/alto/ns-v4#" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" \
xsi:schemaLocation="http://www.loc.gov/standards/alto/ns-v4# \
http://www.loc.gov/standards/alto/v4/alto-4-4.xsd" \
SCHEMAVERSION="4.4">
<Description>
<MeasurementUnit>pixel</MeasurementUnit>
<sourceImageInformation><fileName>{name}</fileName></sourceImageInformation>
<Processing ID="ocr"><processingSoftware><softwareName>TritonOCR</softwareName>\
<softwareVersion>{version}</softwareVersion></processingSoftware></Processing>
</Description>
<Tags>
{tags}</Tags>
<Layout>
"""
_TAIL = "</Layout>\n</alto>\n"


def write(pages: Iterable[PageText]) -> Iterator[str]:
    """Yield the description with the first page, the other pages, and the end of the document."""
    tags = "".join(f'<StructureTag ID="kind_{kind}" LABEL="{kind}"/>\n' for kind in _KINDS)
    is_first = True
    for page in pages:
        if is_first:
            yield _HEAD.format(name=escaped(page.name), version=version("tritonocr"), tags=tags)
            is_first = False
        yield serialized(_page(page))
    yield _TAIL


def _page(page: PageText) -> Element:
    size = {"WIDTH": page.width, "HEIGHT": page.height}
    key = str(page.number)
    element = child(Element("Layout"), "Page", ID=f"page_{key}", PHYSICAL_IMG_NR=page.number, **size)
    space = child(element, "PrintSpace", HPOS=0, VPOS=0, **size)
    for number, block in enumerate(page.blocks, 1):
        _add_block(space, block, f"{key}_{number}")
    return element


def _add_block(parent: Element, block: PageBlock, key: str) -> None:
    tag = {"TAGREFS": f"kind_{block.kind}"} if block.kind in _KINDS else {}
    place = _place(union_box(block.lines))
    element = child(parent, "TextBlock", ID=f"block_{key}", **place, **tag)
    for number, line in enumerate(block.lines, 1):
        _add_line(element, line, f"{key}_{number}")


def _add_line(parent: Element, line: TextLine, key: str) -> None:
    element = child(parent, "TextLine", ID=f"line_{key}", **_place(line.box))
    _add_shape(element, line)
    for number, word in enumerate(line.words, 1):
        _add_word(element, word, f"{key}_{number}")
        if word.has_space_after and number < len(line.words):
            child(element, "SP")
    if not line.words:  # the schema wants at least one String
        child(element, "String", CONTENT="")


def _add_word(parent: Element, word: TextWord, key: str) -> None:
    element = child(
        parent, "String", ID=f"word_{key}", CONTENT=word.text, WC=f"{word.score:.4f}", **_place(word.box)
    )
    _add_shape(element, word)
    for number, character in enumerate(word.characters, 1):
        glyph = child(
            element,
            "Glyph",
            ID=f"glyph_{key}_{number}",
            CONTENT=character.text,
            GC=f"{character.score:.4f}",
            **_place(character.box),
        )
        _add_shape(glyph, character)


def _add_shape(parent: Element, text: PlacedText) -> None:
    points = " ".join(f"{max(round(x), 0)},{max(round(y), 0)}" for x, y in text.quad)
    child(child(parent, "Shape"), "Polygon", POINTS=points)


def _place(box: tuple[int, int, int, int]) -> dict[str, int]:
    return dict(zip(("HPOS", "VPOS", "WIDTH", "HEIGHT"), size_of(box), strict=True))
