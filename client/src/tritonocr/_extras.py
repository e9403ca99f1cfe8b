"""Public functions that need the extra [viz]. They import it when they are called."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ._results.result import OCRResult


def searchable_pdf(results: Iterable[OCRResult]) -> bytes:
    """Make one searchable PDF: the pages' pictures with their text as an invisible layer.

    Args:
        results: pages with pictures, read with `return_page_images=True`.

    Raises:
        InvalidInputError: a page has no picture.
        MissingExtraError: the extra [viz] is not installed.
    """
    from ._results import pdf

    return pdf.searchable_pdf(results)


def demo_page() -> NDArray[np.uint8]:
    """Draw a page that exercises every stage of the pipeline.

    Returns:
        [height, width, 3] BGR uint8.

    Raises:
        MissingExtraError: the extra [viz] is not installed.
    """
    from . import _demo

    return _demo.demo_page()
