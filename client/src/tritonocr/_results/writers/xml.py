"""What the XML formats share: characters that XML allows, and elements as text."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

_NOT_ALLOWED = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

Element = ET.Element


def clean(text: str) -> str:
    """Replace the characters that XML 1.0 cannot hold (section 2.2) by U+FFFD."""
    return _NOT_ALLOWED.sub("\ufffd", text)


def escaped(text: str) -> str:
    """Return text for the content of an element."""
    return escape(clean(text))


def child(parent: Element, tag: str, text: str | None = None, /, **attributes: object) -> Element:
    """Append an element; a trailing underscore of an attribute's name is dropped, as in `class_`."""
    given = {name.rstrip("_"): clean(str(value)) for name, value in attributes.items()}
    element = ET.SubElement(parent, tag, given)
    element.text = None if text is None else clean(text)
    return element


def serialized(element: Element) -> str:
    """Return an element as indented text with a line break at its end."""
    ET.indent(element)
    return inline(element) + "\n"


def inline(element: Element) -> str:
    """Return an element as text, without spaces between its children."""
    return ET.tostring(element, encoding="unicode")
