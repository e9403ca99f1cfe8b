"""The tutorial, which lies beside the checkout."""

import re
from functools import lru_cache
from html import unescape

from beside_checkout import shared


@lru_cache
def tutorial() -> str:
    (file,) = shared("seeds").glob("*.txt")
    return file.read_text(encoding="utf-8")


def tutorial_table(heading: str) -> list[list[str]]:
    """The rows of the first table after a phrase, each cell as plain text."""
    start = tutorial().index("<table", tutorial().index(heading))
    table = tutorial()[start : tutorial().index("</table>", start)]
    rows = re.split(r"</?tr>", table)
    cells = [re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row, flags=re.DOTALL) for row in rows]
    return [[unescape(re.sub(r"<[^>]+>", "", cell)).strip() for cell in row] for row in cells if row]
