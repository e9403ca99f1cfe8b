"""PDF pages that show a picture in the size that its file states."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import IO

from .._exceptions import missing_extra

try:
    import pikepdf
    from PIL import Image, UnidentifiedImageError
except ImportError as error:
    raise missing_extra("viz", "Writing PDFs", error) from error

DEFAULT_DPI = 144.0
_DPI_RANGE = 30.0, 2400.0  # a resolution beyond it is a mistake of the program that wrote the picture
_MAX_POINTS = 14400.0  # PDF 32000-1, annex C.2: readers stop there
_COLOR_SPACES = {"L": "/DeviceGray", "RGB": "/DeviceRGB"}


def picture_page(
    pdf: pikepdf.Pdf, picture: bytes, dpi: tuple[float, float]
) -> tuple[pikepdf.Page, tuple[int, int]]:
    """Return a page, not yet in the document, that a picture fills; and the picture's size in pixels.

    Args:
        pdf: the document.
        picture: a file that Pillow reads; a JPEG keeps its bytes.
        dpi: dots per inch of the picture's width and height.
    """
    with Image.open(io.BytesIO(picture)) as image:
        size_px = image.size
        width, height = image.width * 72 / dpi[0], image.height * 72 / dpi[1]
        stream = _image_stream(pdf, picture, image)
    shrink = min(1.0, _MAX_POINTS / max(width, height))
    width, height = round(width * shrink, 3), round(height * shrink, 3)
    page = empty_page(pdf, (width, height))
    name = page.add_resource(stream, pikepdf.Name.XObject, pikepdf.Name("/Picture"))
    page.contents_add(f"q {width} 0 0 {height} 0 0 cm {name} Do Q\n".encode())
    return page, size_px


def empty_page(pdf: pikepdf.Pdf, size: tuple[float, float]) -> pikepdf.Page:
    """Return an empty page of (width, height) points, not yet in the document."""
    page = pikepdf.Dictionary(Type=pikepdf.Name.Page, MediaBox=[0, 0, *size], Resources=pikepdf.Dictionary())
    return pikepdf.Page(pdf.make_indirect(page))


class StatedResolution:
    """The resolution of pictures as their file states it.

    Args:
        file: what Pillow opens: a path, or a stream. None if there is no file.
    """

    def __init__(self, file: str | Path | IO[bytes] | None) -> None:
        self._image: Image.Image | None = None
        if file is not None:
            with contextlib.suppress(UnidentifiedImageError, OSError, ValueError, SyntaxError):
                self._image = Image.open(file)  # Pillow does not know every format that the server reads

    def dpi(self, page_index: int) -> tuple[float, float]:
        """Return the dots per inch of the width and height of a page, counted from 0."""
        found = (0.0, 0.0)
        if self._image is not None:
            with contextlib.suppress(OSError, EOFError, ValueError, SyntaxError, TypeError):
                self._image.seek(page_index)
                x_dpi, y_dpi = map(float, self._image.info.get("dpi", found))
                found = x_dpi, y_dpi
        if all(_DPI_RANGE[0] <= value <= _DPI_RANGE[1] for value in found):
            return found
        return DEFAULT_DPI, DEFAULT_DPI

    def close(self) -> None:
        """Close the file."""
        if self._image is not None:
            self._image.close()


def _image_stream(pdf: pikepdf.Pdf, encoded: bytes, image: Image.Image) -> pikepdf.Stream:
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
