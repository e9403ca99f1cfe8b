"""Read the UserUnit of PDF pages, which PDFium ignores (ISO 32000-1, table 30). Runs in the PDF worker."""

from __future__ import annotations

import io
from typing import Any

MAX_USER_UNIT = 75_000.0  # the largest value that Acrobat accepts


class UserUnits:
    """The size of a unit of page space in points, per page.

    Args:
        data: the PDF.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._pages: Any = None

    def of_page(self, index: int) -> float:
        """Return the page's unit, 1 if it has none or if its dictionary cannot be read."""
        # An uncompressed page dictionary names the key. A compressed one is in an object stream.
        if b"/UserUnit" not in self._data and b"/ObjStm" not in self._data:
            return 1.0
        try:
            unit = float(self._page(index).obj.get("/UserUnit", 1))
        except Exception:  # qpdf is stricter than PDFium, which reads the page without it
            return 1.0
        return unit if 0 < unit <= MAX_USER_UNIT else 1.0

    def _page(self, index: int) -> Any:
        if self._pages is None:
            import pikepdf  # only here: it costs time and memory that few files need

            self._pages = pikepdf.open(io.BytesIO(self._data)).pages
        return self._pages[index]
