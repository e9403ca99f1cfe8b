"""Few shapes for networks on a GPU: line images of some widths in batches of some sizes, pages of some sizes.

A GPU chooses its algorithms anew for each shape of a batch, and only images of equal size form a batch. The
multiples of 32 px are 100 widths of lines, and 900 sizes of pages. The widths here add 8 % of pixels to the
lines of receipts. A width never exceeds the line's own by more than half plus one step, because a recognition
network misreads lines with much more padding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import ceil

import numpy as np

from tritonocr_backend.core.arrays import Image
from tritonocr_backend.core.contracts import LINE_HEIGHT_PX, MAX_WIDTH_PX, PADDING_BGR, Role
from tritonocr_backend.engines.batching import Outputs, joined

LINE_WIDTHS_PX = (64, 96, 128, 192, 256, 320, 416, 544, 736, 1024, 1536, 2304, MAX_WIDTH_PX)
"""Ascending widths of line images."""

BATCH_SIZES = (8, 16, 32, 64)
"""Ascending numbers of images in a batch."""

PAGE_STEP_PX = 128
"""Sides of detection images differ by this. They are 64 px plus a multiple, so that 960 px is one of them."""

MAX_BATCH_WIDTH_PX = 64 * 1024
"""Largest sum of the widths of a batch. It bounds the memory of the class probabilities to 0.25 GB."""

MAX_TENSORRT_LINES = 16
"""Largest batch of lines for TensorRT, which reserves memory for this batch of the widest lines."""


def largest_batch(role: Role, *, tensorrt: bool) -> int:
    """Return the largest batch of a network for lines."""
    return MAX_TENSORRT_LINES if tensorrt and role is Role.TEXT_RECOGNITION else BATCH_SIZES[-1]


def widened(image: Image) -> Image:
    """Return line images, padded on the right to the next of the fixed widths.

    Args:
        image: uint8 [B, 48, W, 3] of line images; images of another height are returned unchanged.
    """
    height, width = image.shape[1:3]
    if height != LINE_HEIGHT_PX:
        return image
    target = next(fixed for fixed in LINE_WIDTHS_PX if fixed >= width)
    if target == width:
        return image
    wide = np.empty((len(image), height, target, 3), dtype=np.uint8)
    wide[:, :, :width] = image
    wide[:, :, width:] = PADDING_BGR
    return wide


def padded_page(page: Image) -> Image:
    """Return detection images, padded at the right and at the bottom to the next of the fixed sizes.

    The padding repeats the edge, because the network averages over the image and the edge is like the page.

    Args:
        page: uint8 [B, H, W, 3].
    """
    batch, height, width, _ = page.shape
    fixed_height, fixed_width = (_fixed_side(side) for side in (height, width))
    if (fixed_height, fixed_width) == (height, width):
        return page
    padded = np.empty((batch, fixed_height, fixed_width, 3), dtype=np.uint8)
    padded[:, :height, :width] = page
    padded[:, :height, width:] = page[:, :, -1:]
    padded[:, height:] = padded[:, height - 1 : height]
    return padded


def _fixed_side(side_px: int) -> int:
    half = PAGE_STEP_PX // 2
    return half + ceil(max(side_px - half, 0) / PAGE_STEP_PX) * PAGE_STEP_PX


def without_added_columns(outputs: Outputs, width: int, wide: int) -> Outputs:
    """Return the outputs for images of `width` px that were padded to `wide` px.

    Args:
        outputs: [B, T, ...] each; a network has T columns for `wide` px.
        width: width of the images before `widened`, in pixels.
        wide: width of the images after `widened`, in pixels.
    """
    return outputs if wide == width else [output[:, : output.shape[1] * width // wide] for output in outputs]


class FixedBatches:
    """An engine that runs batches of the fixed sizes only. Repeated images fill a batch.

    Args:
        call: runs the network on uint8 [B, H, W, 3] and returns its outputs.
        streams: number of calls at the same time.
        largest: largest batch of the network; one of the fixed sizes.
    """

    batch_sizes: Sequence[int] = ()

    def __init__(
        self, call: Callable[[Image], Outputs], streams: int, largest: int = BATCH_SIZES[-1]
    ) -> None:
        self._call, self._largest = call, largest
        self.streams = streams

    def infer(self, image: Image) -> Outputs:
        """See Engine.infer."""
        return joined([self._infer(part) for part in _parts(image, self._largest)])

    def _infer(self, image: Image) -> Outputs:
        size = next(size for size in BATCH_SIZES if size >= len(image))
        rows = np.minimum(np.arange(size), len(image) - 1)
        filled = image if size == len(image) else image[rows]
        return [output[: len(image)] for output in self._call(filled)]


def _parts(image: Image, largest: int) -> Iterator[Image]:
    """Split a batch so that each part is within the largest batch of the network and of its width."""
    fitting = [size for size in BATCH_SIZES if size * image.shape[2] <= MAX_BATCH_WIDTH_PX]
    most = min(max(fitting, default=BATCH_SIZES[0]), largest)
    for start in range(0, len(image), most):
        yield image[start : start + most]
