"""A page of a document: its pixels, and how large it was given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from tritonocr_backend.core.arrays import Image

ReductionOf = Callable[[tuple[int, int]], int]
"""How many times smaller a page of (height, width) px is wanted."""


def unreduced(size: tuple[int, int]) -> int:
    """A ReductionOf that leaves a page as it is."""
    return 1


@dataclass(frozen=True)
class Page:
    """A decoded page.

    Attributes:
        pixels: uint8 [H, W, 3] BGR.
        size: (height, width) in pixels of the page as given; `pixels` may have fewer.
        reduction: how many times fewer, to either side.
    """

    pixels: Image
    size: tuple[int, int]
    reduction: int = 1

    @classmethod
    def reduced(cls, pixels: Image, reduction_of: ReductionOf) -> Page:
        """A page from all its pixels, each `reduction` x `reduction` of them averaged."""
        height, width = size = (pixels.shape[0], pixels.shape[1])
        reduction = reduction_of(size)
        if reduction > 1:
            smaller = (-(-width // reduction), -(-height // reduction))
            pixels = np.asarray(cv2.resize(pixels, smaller, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        return cls(pixels, size, reduction)
