"""Pages of a PDF that wait on disk, so that memory does not grow with their number."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from .._exceptions import missing_extra

try:
    import pikepdf
except ImportError as error:
    raise missing_extra("viz", "Writing PDFs", error) from error

if TYPE_CHECKING:
    from typing_extensions import Self

_FILE_BYTES = 32 * 2**20  # of pictures and text that are held in memory before they are written to a file
_FILE_PAGES = 1000


class PageSpool:
    """Collects pages and returns them in the same order.

    The pages that it returns, and copies of them in other documents, are valid until `close()`: their
    content stays on disk, and qpdf reads it while it saves a document.
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="tritonocr-", ignore_cleanup_errors=True)
        self._files: list[Path] = []
        self._open: list[pikepdf.Pdf] = []
        self._size_bytes = 0
        self.pdf = pikepdf.new()
        """The document in which the next page is made."""

    def add(self, page: pikepdf.Page, size_bytes: int) -> None:
        """Add a page of `pdf`, with about this many bytes of content."""
        self.pdf.pages.append(page)
        self._size_bytes += size_bytes
        if self._size_bytes >= _FILE_BYTES or len(self.pdf.pages) >= _FILE_PAGES:
            self._write()

    def pages(self) -> Iterator[pikepdf.Page]:
        """Yield all pages; call this once, after the last `add`."""
        self._write()
        for file in self._files:
            self._open.append(pikepdf.open(file))
            yield from self._open[-1].pages

    def close(self) -> None:
        """Remove the files."""
        for pdf in [*self._open, self.pdf]:
            pdf.close()
        self._folder.cleanup()

    def _write(self) -> None:
        file = Path(self._folder.name) / f"{len(self._files)}.pdf"
        self.pdf.save(file)
        self.pdf.close()
        self._files.append(file)
        self.pdf, self._size_bytes = pikepdf.new(), 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
