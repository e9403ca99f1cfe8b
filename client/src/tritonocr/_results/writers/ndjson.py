"""NDJSON: one line per page with the object of the JSON format."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from ..page_text import PageText


def write(pages: Iterable[PageText]) -> Iterator[str]:
    """Yield one line per page."""
    for page in pages:
        yield json.dumps(page.fields, ensure_ascii=False) + "\n"
