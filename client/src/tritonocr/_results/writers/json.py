"""JSON: the page under PaddleX's keys, indented as PaddleX writes it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from ..page_text import PageText


def write(pages: Iterable[PageText]) -> Iterator[str]:
    """Yield one object per page."""
    for page in pages:
        yield json.dumps(page.fields, indent=4, ensure_ascii=False) + "\n"
