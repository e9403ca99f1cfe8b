"""The text that a PDF page has of its own: visible text, and hidden text of an earlier OCR."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from .._exceptions import missing_extra

try:
    import pikepdf
except ImportError as error:
    raise missing_extra("viz", "Writing PDFs", error) from error

_INVISIBLE = 3  # PDF 32000-1, table 106
_SETS_INVISIBLE = re.compile(rb"\b3\s+Tr\b")
_SHOWS_TEXT = re.compile(rb"(?:Tj|TJ)\b|[)>]\s*['\"]")
_SHOWING = frozenset({"Tj", "TJ", "'", '"'})

Instructions = Sequence[Any]


def has_visible_text(page: pikepdf.Page) -> bool:
    """Return whether a page or a form on it shows text. Text in annotations does not count."""
    return any(
        _SHOWS_TEXT.search(content) and not _SETS_INVISIBLE.search(content) for _, content in _contents(page)
    )


def remove_hidden_text(pdf: pikepdf.Pdf, page: pikepdf.Page) -> None:
    """Remove invisible text from a page and its forms, where all text of a text object is invisible.

    Text objects that show other text too are kept: that text would move.
    """
    for stream, content in _contents(page):
        if not _SETS_INVISIBLE.search(content):
            continue
        source = page if stream is None else stream
        try:
            kept = list(_without_hidden_text(pikepdf.parse_content_stream(source)))
        except pikepdf.PdfError:
            continue  # such a page is shown only in part; its text stays
        changed = pikepdf.unparse_content_stream(kept)
        if stream is None:
            page.Contents = pdf.make_stream(changed)
        else:
            stream.write(changed)


def _contents(page: pikepdf.Page) -> Iterator[tuple[pikepdf.Stream | None, bytes]]:
    """Yield the content of the page (with None) and of each form that it uses."""
    yield None, _page_content(page)
    for item in (page.resources.get("/XObject") or {}).values():
        if isinstance(item, pikepdf.Stream) and item.get("/Subtype") == "/Form":
            yield item, _content(item)


def _page_content(page: pikepdf.Page) -> bytes:
    contents = page.obj.get("/Contents")
    parts = [contents] if isinstance(contents, pikepdf.Stream) else list(contents or [])
    return b"\n".join(_content(part) for part in parts)


def _content(stream: pikepdf.Object) -> bytes:
    try:
        return bytes(stream.read_bytes())
    except pikepdf.PdfError:
        return b""  # corrupt


def _without_hidden_text(instructions: Instructions) -> Iterator[Any]:
    """Yield the instructions without those that show invisible text."""
    modes = list(_modes(instructions))
    numbers = iter(_text_objects(instructions))
    tagged = zip(instructions, modes, numbers, strict=True)
    for number, group in groupby(tagged, key=lambda item: item[2]):
        members = list(group)
        shown = [mode for instruction, mode, _ in members if str(instruction.operator) in _SHOWING]
        is_hidden = bool(number) and bool(shown) and set(shown) == {_INVISIBLE}
        for instruction, _, _ in members:
            if not (is_hidden and str(instruction.operator) in _SHOWING):
                yield instruction


def _text_objects(instructions: Instructions) -> Iterator[int]:
    """Yield for each instruction the number of its text object from 1, or 0 outside."""
    count, is_inside = 0, False
    for instruction in instructions:
        operator = str(instruction.operator)
        if operator == "BT":
            count, is_inside = count + 1, True
        yield count if is_inside else 0
        if operator == "ET":
            is_inside = False


def _modes(instructions: Instructions) -> Iterator[int]:
    """Yield the text rendering mode at each instruction."""
    mode, saved = 0, list[int]()
    for instruction in instructions:
        operator = str(instruction.operator)
        if operator == "q":
            saved.append(mode)
        elif operator == "Q" and saved:
            mode = saved.pop()
        elif operator == "Tr" and instruction.operands:
            mode = int(instruction.operands[0])
        yield mode
