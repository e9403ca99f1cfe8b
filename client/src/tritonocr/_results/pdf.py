"""Searchable PDFs: the pages of a PDF as they are, or pictures, with their text as an invisible layer."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import Protocol

from tritonocr_common.file_formats import PDF_HEADER_WITHIN_BYTES, is_pdf

from .._exceptions import InvalidInputError, missing_extra
from .page_text import ResultOfPage, page_text
from .pdf_text_layer import FONT_NAME, PageMap, TextFont, text_layer
from .saving import input_name

try:
    import pikepdf
    from PIL import Image, UnidentifiedImageError
except ImportError as error:
    raise missing_extra("viz", "Writing PDFs", error) from error

_DEFAULT_DPI = 144.0
_DPI_RANGE = 30.0, 2400.0  # a resolution beyond it is a mistake of the program that wrote the picture
_MAX_POINTS = 14400.0  # PDF 32000-1, annex C.2: readers stop there
_A4_POINTS = 595, 842
_COLOR_SPACES = {"L": "/DeviceGray", "RGB": "/DeviceRGB"}

Original = str | Path | bytes


class DrawableResult(ResultOfPage, Protocol):
    """What a searchable PDF reads of an `OCRResult`."""

    @property
    def ok(self) -> bool: ...

    @property
    def is_unwarped(self) -> bool: ...

    def page_picture(self) -> bytes: ...


def searchable_pdf(
    results: Iterable[DrawableResult], original: Original | None = None, *, has_read_pages_only: bool = False
) -> bytes:
    """Make one PDF of the pages of a file; the same pages give the same bytes.

    Args:
        results: the pages of one file.
        original: the file that was read: its path or its bytes. None: `input_path`, if it is a file on this
            machine. The pages of a PDF stay as they are. The pages of other files are pictures, in the size
            that their resolution states.
        has_read_pages_only: leave out the pages of the original PDF for which there is no result.

    Raises:
        InvalidInputError: the original PDF cannot be opened or lacks a page, or a picture is missing.
    """
    pages = iter(results)
    first = next(pages, None)
    if original is None and first is not None:
        original = _local_file(first.input_path)
    writer = _Writer(original, "" if first is None else title_of(first))
    for result in chain([] if first is None else [first], pages):
        writer.add(result)
    return writer.content(has_read_pages_only=has_read_pages_only)


def title_of(result: DrawableResult) -> str:
    """Return the title of a document whose metadata has none: the name of the file."""
    return input_name(result.input_path).stem if result.input_path else result.file_stem


def _local_file(path: str | None) -> Path | None:
    try:
        return Path(path) if path and Path(path).is_file() else None
    except (OSError, ValueError):
        return None


class _Writer:
    """Builds the PDF of one file, page by page."""

    def __init__(self, original: Original | None, title: str) -> None:
        self._original = original
        self._pdf = _opened_pdf(original)
        self._keeps_pages = self._pdf is not None
        self._out = self._pdf or pikepdf.new()
        self._font = TextFont()
        self._font_object = self._out.make_indirect(pikepdf.Dictionary())
        self._read: list[int] = []
        if not self._out.docinfo.get("/Title"):
            self._out.docinfo["/Title"] = title

    def add(self, result: DrawableResult) -> None:
        """Add a page with its text."""
        index = (result["page_index"] or 0) if self._keeps_pages else len(self._out.pages)
        if self._keeps_pages and index >= len(self._out.pages):
            raise InvalidInputError(
                f"The original PDF has {len(self._out.pages)} pages; expected page {index + 1} in it."
            )
        self._read.append(index)
        text = page_text(result)
        if self._keeps_pages and not result.is_unwarped:
            page = self._out.pages[index]
            angle = 0 if result.is_in_input_coordinates else max(result.page.angle, 0)
            place = PageMap((text.width, text.height), _visible_box(page), _rotation(page), angle)
        else:
            page, size_px = self._picture_page(result)
            if self._keeps_pages:
                _warn_of_flat_picture(index)
                self._out.pages[index] = page
            else:
                self._out.pages.append(page)
            page = self._out.pages[index]
            place = PageMap(size_px, _visible_box(page), 0, 0)
        if layer := text_layer(text.blocks, place, self._font):
            page.add_resource(self._font_object, pikepdf.Name.Font, pikepdf.Name(FONT_NAME))
            # In front of the page's own content, whose state may be changed at its end.
            page.contents_add(layer, prepend=True)

    def content(self, *, has_read_pages_only: bool) -> bytes:
        """Return the bytes of the document."""
        self._font.fill(self._out, self._font_object)
        out = self._out
        if has_read_pages_only and len(set(self._read)) < len(out.pages):
            out = pikepdf.new()
            out.docinfo["/Title"] = str(self._out.docinfo["/Title"])
            out.pages.extend(self._out.pages[index] for index in self._read)
        output = io.BytesIO()
        out.save(output, deterministic_id=True)
        return output.getvalue()

    def _picture_page(self, result: DrawableResult) -> tuple[pikepdf.Page, tuple[int, int]]:
        """Return a page with the picture of a result, and the picture's (width, height) in pixels."""
        if not result.ok:
            return _page(self._out, _A4_POINTS), _A4_POINTS  # keeps the numbers of the pages that follow
        picture = result.page_picture()
        with Image.open(io.BytesIO(picture)) as image:
            width_px, height_px = image.size
            stream = _image_stream(self._out, picture, image)
        x_dpi, y_dpi = _resolution(self._original, result)
        width, height = width_px * 72 / x_dpi, height_px * 72 / y_dpi
        shrink = min(1.0, _MAX_POINTS / max(width, height))
        page = _page(self._out, (round(width * shrink, 3), round(height * shrink, 3)))
        name = page.add_resource(stream, pikepdf.Name.XObject, pikepdf.Name("/Picture"))
        width, height = (float(side) for side in list(page.mediabox)[2:])
        page.contents_add(f"q {width} 0 0 {height} 0 0 cm {name} Do Q\n".encode())
        return page, (width_px, height_px)


def _warn_of_flat_picture(index: int) -> None:
    warnings.warn(
        f"Page {index + 1} was unwarped, so its flat picture takes the place of the original page; "
        "request coordinates='input' to keep the original page.",
        stacklevel=5,
    )


def _page(pdf: pikepdf.Pdf, size: tuple[float, float]) -> pikepdf.Page:
    """Return an empty page of (width, height) points."""
    page = pikepdf.Dictionary(Type=pikepdf.Name.Page, MediaBox=[0, 0, *size], Resources=pikepdf.Dictionary())
    return pikepdf.Page(pdf.make_indirect(page))


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


def _image_stream(pdf: pikepdf.Pdf, encoded: bytes, image: Image.Image) -> pikepdf.Stream:
    """Return a picture as an image of the PDF; a JPEG keeps its bytes."""
    properties = {
        "/Type": pikepdf.Name.XObject,
        "/Subtype": pikepdf.Name.Image,
        "/Width": image.width,
        "/Height": image.height,
        "/BitsPerComponent": 8,
    }
    if image.format == "JPEG" and image.mode in _COLOR_SPACES:
        color_space = pikepdf.Name(_COLOR_SPACES[image.mode])
        return pikepdf.Stream(
            pdf, encoded, properties | {"/ColorSpace": color_space, "/Filter": pikepdf.Name.DCTDecode}
        )
    pixels = image.convert("RGB").tobytes()
    return pikepdf.Stream(pdf, pixels, properties | {"/ColorSpace": pikepdf.Name.DeviceRGB})


def _resolution(original: Original | None, result: DrawableResult) -> tuple[float, float]:
    """Return the dots per inch of a picture's width and height, as its file states them."""
    x_dpi = y_dpi = _DEFAULT_DPI
    if original is not None:
        try:
            with Image.open(io.BytesIO(original) if isinstance(original, bytes) else original) as image:
                image.seek(result["page_index"] or 0)
                x_dpi, y_dpi = map(float, image.info.get("dpi", (0, 0)))
        except (UnidentifiedImageError, OSError, EOFError, ValueError, SyntaxError):
            pass  # Pillow does not know every format that the server reads
    if not all(_DPI_RANGE[0] <= dpi <= _DPI_RANGE[1] for dpi in (x_dpi, y_dpi)):
        return _DEFAULT_DPI, _DEFAULT_DPI
    is_turned = result.page.angle in (90, 270) and not result.is_in_input_coordinates
    return (y_dpi, x_dpi) if is_turned else (x_dpi, y_dpi)


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
