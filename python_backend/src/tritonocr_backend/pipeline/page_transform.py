"""Coordinates between the page that was read and the page as the caller sent it.

A page is turned first and flattened after. Both steps are kept as a `PageTransform`, so that polygons on the
page that was read can be mapped back. Coordinates are (x, y) in pixels; (0, 0) is the top left corner of the
top left pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tritonocr_backend.core.arrays import Floats


@dataclass(frozen=True)
class PageTransform:
    """The rotation and the unwarping of a page before detection.

    Attributes:
        input_size: (height, width) in pixels of the page as given.
        angle: degrees that the page was turned counter-clockwise: 0, 90, 180 or 270.
        grid: float32 [2, h, w], the place (x, y) on the turned page of each point of a regular lattice on the
            flat page: -1 is the centre of the first pixel, 1 that of the last. None: the page was flat.
        flat_size: (height, width) in pixels of the page that was read.
        reduction: how many times smaller than these sizes the page was when it was sampled.
    """

    input_size: tuple[int, int]
    angle: int
    grid: Floats | None
    flat_size: tuple[int, int]
    reduction: int = 1


def to_input(points: NDArray[np.generic], transform: PageTransform) -> Floats:
    """Map points on the page that was read to the page as given.

    Args:
        points: [..., 2], (x, y) in pixels of the page that was read.
        transform: how that page was made.

    Returns:
        float32 [..., 2], (x, y) in pixels of the page as given. Points beyond its edges are not clipped.
    """
    x, y = np.moveaxis(np.asarray(points, dtype=np.float64), -1, 0)
    turned_size = transform.input_size[::-1] if transform.angle % 180 else transform.input_size
    if transform.grid is not None:
        x, y = _through_grid(x, y, transform.grid, transform.flat_size, turned_size, transform.reduction)
    x, y = _turned_back(x, y, transform.angle, turned_size)
    return np.stack([x, y], axis=-1).astype(np.float32)


def interpolation(positions: NDArray[np.float64], count: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return the lower index (0 to count - 2) and the weight of the upper one at fractional positions.

    Positions beyond the ends give weights below 0 or above 1, that is linear extrapolation.
    """
    lower = np.clip(np.floor(positions), 0, count - 2).astype(np.intp)
    return lower, positions - lower


def _through_grid(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    grid: Floats,
    flat_size: tuple[int, int],
    turned_size: tuple[int, int],
    reduction: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rows, columns = (
        (value / reduction - 0.5) / max(reduced(side, reduction) - 1, 1) * (count - 1)
        for value, side, count in zip((y, x), flat_size, grid.shape[1:], strict=True)
    )
    (top, down), (left, right) = interpolation(rows, grid.shape[1]), interpolation(columns, grid.shape[2])
    above = grid[:, top, left] * (1 - right) + grid[:, top, left + 1] * right
    below = grid[:, top + 1, left] * (1 - right) + grid[:, top + 1, left + 1] * right
    x_unit, y_unit = above * (1 - down) + below * down
    height, width = (reduced(side, reduction) for side in turned_size)
    return (
        ((x_unit + 1) / 2 * (width - 1) + 0.5) * reduction,
        ((y_unit + 1) / 2 * (height - 1) + 0.5) * reduction,
    )


def reduced(side_px: int, reduction: int) -> int:
    """Return the pixels of a side after a reduction, as `Page.reduced` makes them."""
    return -(-side_px // reduction)


def _turned_back(
    x: NDArray[np.float64], y: NDArray[np.float64], angle: int, turned_size: tuple[int, int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    height, width = turned_size
    return {0: (x, y), 90: (height - y, x), 180: (width - x, height - y), 270: (y, width - x)}[angle]
