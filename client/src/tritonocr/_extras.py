"""Public functions that need the extra [viz]. They import it when they are called."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ._results.result import OCRResult


def searchable_pdf(results: Iterable[OCRResult], original: str | Path | bytes | None = None) -> bytes:
    """Make one searchable PDF of the pages of a file: their text is an invisible layer.

    The pages of a PDF stay as they are. Other pages are pictures, in the size that their resolution states.

    Args:
        results: the pages of one file. Read pictures with `return_page_images=True`, and bent or turned pages
            with `coordinates="input"`.
        original: the file that was read, as a path or bytes. None: the results' `input_path`, if it is a file
            on this machine.

    Raises:
        InvalidInputError: the original PDF cannot be opened, or a picture is missing.
        MissingExtraError: the extra [viz] is not installed.
    """
    from ._results import pdf

    return pdf.searchable_pdf(results, original)


def demo_page() -> NDArray[np.uint8]:
    """Draw a page that exercises every stage of the pipeline.

    Returns:
        [height, width, 3] BGR uint8.

    Raises:
        MissingExtraError: the extra [viz] is not installed.
    """
    from . import _demo

    return _demo.demo_page()
