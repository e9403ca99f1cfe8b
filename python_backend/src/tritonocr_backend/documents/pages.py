"""A page of a document: the decoded pixels and the size of the page before any reduction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from tritonocr_backend.core.arrays import Image
from tritonocr_backend.core.page_messages import PageWarning

ReductionOf = Callable[[tuple[int, int]], int]
"""Return the factor by which a page of (height, width) px is reduced while it is decoded: 1, 2, 4 or 8."""


def unreduced(size: tuple[int, int]) -> int:
    """Return 1: decode the page at full size."""
    return 1


@dataclass(frozen=True)
class Page:
    """A decoded page.

    Attributes:
        pixels: uint8 [H, W, 3] BGR.
        size: (height, width) in pixels of the full-size page. `pixels` is smaller if the page was reduced.
        reduction: factor between `size` and the shape of `pixels`, the same for both sides.
        warnings: what decoding the page has to report.
    """

    pixels: Image
    size: tuple[int, int]
    reduction: int = 1
    warnings: tuple[PageWarning, ...] = ()

    @classmethod
    def reduced(
        cls, pixels: Image, reduction_of: ReductionOf, warnings: tuple[PageWarning, ...] = ()
    ) -> Page:
        """Build a page from full-size pixels. Average each `reduction` x `reduction` block into one pixel."""
        height, width = size = (pixels.shape[0], pixels.shape[1])
        reduction = reduction_of(size)
        if reduction > 1:
            smaller = (-(-width // reduction), -(-height // reduction))
            pixels = np.asarray(cv2.resize(pixels, smaller, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        return cls(pixels, size, reduction, warnings)
