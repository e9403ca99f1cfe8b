"""An opened document, and the checks that every document format shares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tritonocr_backend.core.errors import InvalidInputError
from tritonocr_backend.documents.pages import Page, ReductionOf
from tritonocr_backend.documents.text_layer import TextLayer

MAX_SIDE_PX = 1_000_000  # libpng's default limit. OpenCV's limit (CV_IO_MAX_IMAGE_WIDTH) is 1 048 576.
READABLE = "a JPEG, PNG, WebP, BMP, TIFF, GIF, PPM, JPEG 2000 or AVIF image or a PDF"


@dataclass(frozen=True)
class Document:
    """An opened file.

    Attributes:
        page_count: number of pages in the file.
        read_page: decodes the page of the given index and reduces it. Raises InvalidInputError.
        close: frees the resources that the document holds.
        read_text: reads the text layer of the page of the given index; None if the format has none. Raises
            InvalidInputError.
    """

    page_count: int
    read_page: Callable[[int, ReductionOf], Page]
    close: Callable[[], None]
    read_text: Callable[[int], TextLayer] | None = None


def check_pixels(name: str, height: int, width: int, max_pixels: int) -> None:
    """Check the size of an image before it is decoded.

    Raises:
        InvalidInputError: the image is empty, a side is too long, or it has more than `max_pixels`.
    """
    if height < 1 or width < 1:
        raise InvalidInputError(f"{name}: got an image of {width}x{height} px, expected at least 1x1")
    if max(height, width) > MAX_SIDE_PX:
        raise InvalidInputError(
            f"{name}: got {width}x{height} px, expected sides of at most {MAX_SIDE_PX} px", "too_large"
        )
    if height * width > max_pixels:
        raise InvalidInputError(
            f"{name}: got {width}x{height} px = {height * width / 1e6:.3g} megapixels, "
            f"expected at most {max_pixels / 1e6:.3g}",
            "too_large",
        )
