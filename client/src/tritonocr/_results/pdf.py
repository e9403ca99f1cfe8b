"""Searchable PDFs: the pages of a PDF as they are, or pictures, with their text as an invisible layer."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import IO, Protocol

from tritonocr_common.file_formats import PDF_HEADER_WITHIN_BYTES, is_pdf

from .._exceptions import InvalidInputError, missing_extra
from .page_text import ResultOfPage, page_text
from .pdf_archival import ARCHIVAL_VERSION, check_can_be_archival, declare_archival
from .pdf_own_text import has_visible_text, remove_hidden_text
from .pdf_pictures import StatedResolution, empty_page, picture_page
from .pdf_spool import PageSpool
from .pdf_text_layer import FONT_NAME, PageMap, TextFont, text_layer
from .saving import input_name

try:
    import pikepdf
except ImportError as error:
    raise missing_extra("viz", "Writing PDFs", error) from error

_A4_POINTS = 595, 842

Original = str | Path | bytes


class DrawableResult(ResultOfPage, Protocol):
    """What a searchable PDF reads of an `OCRResult`."""

    @property
    def ok(self) -> bool: ...

    @property
    def is_unwarped(self) -> bool: ...

    @property
    def original(self) -> bytes | None: ...

    def page_picture(self) -> bytes: ...


def searchable_pdf(
    results: Iterable[DrawableResult],
    original: Original | None = None,
    *,
    has_read_pages_only: bool = False,
    pdf_a: bool = False,
) -> bytes:
    """Make one PDF of the pages of a file, in memory; see `write_searchable_pdf`."""
    output = io.BytesIO()
    write_searchable_pdf(results, output, original, has_read_pages_only=has_read_pages_only, pdf_a=pdf_a)
    return output.getvalue()


def write_searchable_pdf(
    results: Iterable[DrawableResult],
    output: IO[bytes],
    original: Original | None = None,
    *,
    has_read_pages_only: bool = False,
    pdf_a: bool = False,
) -> None:
    """Write one PDF of the pages of a file; the same pages give the same bytes.

    Pages wait in temporary files until the last one has come, so that memory does not grow with their number.

    Args:
        results: the pages of one file.
        output: a file that can seek.
        original: the file that was read: its path or its bytes. None: the bytes that the results hold, or
            else `input_path`, if it is a file on this machine. The pages of a PDF stay as they are. The pages
            of other files are pictures, in the size that their resolution states.
        has_read_pages_only: leave out the pages of the original PDF for which there is no result.
        pdf_a: write PDF/A-2b.

    Raises:
        InvalidInputError: the original PDF cannot be opened or lacks a page, a picture is missing, or the
            original is a PDF that cannot become PDF/A.
    """
    pages = iter(results)
    first = next(pages, None)
    if original is None and first is not None:
        original = first.original or _local_file(first.input_path)
    with PageSpool() as spool:
        title = "" if first is None else title_of(first)
        writer = _Writer(original, title, spool, pdf_a=pdf_a)
        for result in chain([] if first is None else [first], pages):
            writer.add(result)
        writer.save(output, has_read_pages_only=has_read_pages_only)


def title_of(result: DrawableResult) -> str:
    """Return the title of a document whose metadata has none: the name of the file."""
    return input_name(result.input_path).stem if result.input_path else result.file_stem


def _local_file(path: str | None) -> Path | None:
    try:
        return Path(path) if path and Path(path).is_file() else None
    except (OSError, ValueError):
        return None


@dataclass(frozen=True)
class _SpooledPage:
    """The purpose of a page in the spool.

    Attributes:
        index: the page of the document that it belongs to.
        is_layer: whether it holds only the text layer of this page; otherwise it takes the page's place.
        has_text: whether it has a text layer.
    """

    index: int
    is_layer: bool
    has_text: bool


class _Writer:
    """Builds the PDF of one file, page by page."""

    def __init__(self, original: Original | None, title: str, spool: PageSpool, *, pdf_a: bool) -> None:
        self._pdf = _opened_pdf(original)
        file = io.BytesIO(original) if isinstance(original, bytes) else original
        self._resolution = StatedResolution(None if self._pdf else file)
        self._spool = spool
        self._font = TextFont()
        self._spooled: list[_SpooledPage] = []
        self._title = title
        self._is_doubled = False
        self._pdf_a = pdf_a
        if pdf_a:
            check_can_be_archival(self._pdf)

    def add(self, result: DrawableResult) -> None:
        """Add a page with its text."""
        if self._pdf is None:
            self._add_picture(result, len(self._spooled))
            return
        index = result["page_index"] or 0
        if index >= len(self._pdf.pages):
            raise InvalidInputError(
                f"The original PDF has {len(self._pdf.pages)} pages; expected page {index + 1} in it."
            )
        if result.is_unwarped:
            _warn_of_flat_picture(index)
            self._add_picture(result, index)
        else:
            self._add_layer(result, index, self._pdf.pages[index])

    def _add_layer(self, result: DrawableResult, index: int, page: pikepdf.Page) -> None:
        """Add the text that a page of the original lacks."""
        text = page_text(result)
        angle = 0 if result.is_in_input_coordinates else max(result.page.angle, 0)
        place = PageMap((text.width, text.height), _visible_box(page), _rotation(page), angle)
        layer = text_layer(text.blocks, place, self._font, leave_out_source="pdf")
        if layer:
            self._warn_of_text_twice(result, index, page)
        blank = empty_page(self._spool.pdf, _A4_POINTS)
        blank.Contents = self._spool.pdf.make_stream(layer)
        self._put(blank, len(layer), _SpooledPage(index, is_layer=True, has_text=bool(layer)))

    def _add_picture(self, result: DrawableResult, index: int) -> None:
        """Add a page that shows the picture of a result, with its text."""
        if not result.ok:  # keeps the numbers of the pages that follow
            page = empty_page(self._spool.pdf, _A4_POINTS)
            self._put(page, 0, _SpooledPage(index, is_layer=False, has_text=False))
            return
        picture = result.page_picture()
        page, size_px = picture_page(self._spool.pdf, picture, self._dpi(result))
        place = PageMap(size_px, _visible_box(page), 0, 0)
        layer = text_layer(page_text(result).blocks, place, self._font)
        page.contents_add(layer, prepend=True)
        size_bytes = len(picture) + len(layer)
        self._put(page, size_bytes, _SpooledPage(index, is_layer=False, has_text=bool(layer)))

    def _put(self, page: pikepdf.Page, size_bytes: int, entry: _SpooledPage) -> None:
        self._spool.add(page, size_bytes)
        self._spooled.append(entry)

    def _dpi(self, result: DrawableResult) -> tuple[float, float]:
        x_dpi, y_dpi = self._resolution.dpi(result["page_index"] or 0)
        is_turned = result.page.angle in (90, 270) and not result.is_in_input_coordinates
        return (y_dpi, x_dpi) if is_turned else (x_dpi, y_dpi)

    def _warn_of_text_twice(self, result: DrawableResult, index: int, page: pikepdf.Page) -> None:
        if not self._is_doubled and "rec_sources" not in result and has_visible_text(page):
            self._is_doubled = True
            warnings.warn(
                f"Page {index + 1} has text of its own, so searches find its text twice; "
                "request pdf_text='auto' to add only the text that the PDF lacks.",
                stacklevel=7,
            )

    def save(self, output: IO[bytes], *, has_read_pages_only: bool) -> None:
        """Write the document."""
        out = pikepdf.new() if self._pdf is None else self._pdf
        self._place_pages(out)
        if has_read_pages_only and len({entry.index for entry in self._spooled}) < len(out.pages):
            whole, out = out, pikepdf.new()
            out.pages.extend(whole.pages[entry.index] for entry in self._spooled)
            self._title = str(whole.docinfo.get("/Title") or self._title)
        if self._pdf is None or not self._pdf_a:  # the metadata of a PDF/A must agree with each other
            out.docinfo["/Title"] = out.docinfo.get("/Title") or self._title
        is_new_archival = self._pdf_a and self._pdf is None
        if is_new_archival:
            declare_archival(out)
        out.save(output, deterministic_id=True, min_version=ARCHIVAL_VERSION if is_new_archival else "")
        self._resolution.close()

    def _place_pages(self, out: pikepdf.Pdf) -> None:
        """Put the pages and the text layers of the spool into the document."""
        font = out.make_indirect(pikepdf.Dictionary())
        self._font.fill(out, font)
        for entry, spooled in zip(self._spooled, self._spool.pages(), strict=True):
            if entry.is_layer:
                self._place_layer(out, entry, spooled)
            elif self._pdf is None:
                out.pages.append(spooled)
            else:
                out.pages[entry.index] = spooled
            if entry.has_text:
                page = out.pages[entry.index]
                page.add_resource(font, pikepdf.Name.Font, pikepdf.Name(FONT_NAME))

    def _place_layer(self, out: pikepdf.Pdf, entry: _SpooledPage, spooled: pikepdf.Page) -> None:
        if entry.has_text:
            page = out.pages[entry.index]
            remove_hidden_text(out, page)
            # In front of the page's own content, whose state may be changed at its end.
            page.contents_add(out.copy_foreign(spooled.Contents), prepend=True)


def _warn_of_flat_picture(index: int) -> None:
    warnings.warn(
        f"Page {index + 1} was unwarped, so its flat picture takes the place of the original page; "
        "request coordinates='input' to keep the original page.",
        stacklevel=6,
    )


def _opened_pdf(original: Original | None) -> pikepdf.Pdf | None:
    """Open the original if it is a PDF.

    Raises:
        InvalidInputError: the PDF is encrypted with a password, or corrupt.
    """
    if original is None or not is_pdf(_start(original)):
        return None
    try:
        return pikepdf.open(io.BytesIO(original) if isinstance(original, bytes) else original)
    except pikepdf.PdfError as error:
        raise InvalidInputError(f"Cannot open the original PDF: {error}.") from error


def _start(original: Original) -> bytes:
    if isinstance(original, bytes):
        return original[:PDF_HEADER_WITHIN_BYTES]
    with Path(original).open("rb") as file:
        return file.read(PDF_HEADER_WITHIN_BYTES)


def _visible_box(page: pikepdf.Page) -> tuple[float, float, float, float]:
    """Return left, bottom, right, top of the crop box within the media box (PDF 32000-1, 14.11.2)."""
    media, crop = (_ordered(box) for box in (page.mediabox, page.cropbox))
    left, bottom = max(media[0], crop[0]), max(media[1], crop[1])
    right, top = min(media[2], crop[2]), min(media[3], crop[3])
    return (left, bottom, right, top) if right > left and top > bottom else media


def _ordered(box: pikepdf.Object) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = (float(number) for number in box)
    return min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)


def _rotation(page: pikepdf.Page) -> int:
    """Return the page's rotation in degrees clockwise; it may come from a parent of the page."""
    node = page.obj
    while "/Rotate" not in node and "/Parent" in node:
        node = node["/Parent"]
    return int(node.get("/Rotate", 0)) % 360
