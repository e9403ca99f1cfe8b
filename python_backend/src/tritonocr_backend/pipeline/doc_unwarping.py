"""Flattening a bent page with the sampling grid of an unwarping network such as UVDoc.

The network sees a small image of the page and returns a coarse grid: for each point of a regular lattice on
the flat page, its place on the page as given ("UVDoc: Neural Grid-based Document Unwarping", 2023). The page
itself is sampled here, in uint8 and in tiles.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from tritonocr_backend.core.arrays import Floats, Image
from tritonocr_backend.documents.pages import Page
from tritonocr_backend.pipeline.page_transform import interpolation, reduced

FLAT_BOW = 0.0007
"""Largest bow of the lines of a flat page: root mean square in y, as a fraction of the page's diagonal."""

FLAT_HALF_BOW = 0.0018
"""The same for the upper and the lower half alone, where a grid is noisier."""

NOISY_MARGIN = 0.15
"""Part of a grid at each edge that is not used to tell whether the page is flat."""

MAX_ASPECT = 10
"""A longer strip counts as flat: squeezed to the network's image, it cannot be judged."""

MAX_GROWTH = 1.5
"""Largest number of pixels of a flat page, as a multiple of those of the page as given."""

TILE_PIXELS = 1 << 18
ROUNDING_ERROR = 1e-4  # grey levels, added before truncation
MAX_REMAP_SIDE_PX = 32_000  # cv2.remap counts pixels in int16

Lattice = NDArray[np.float64]


def resize_for_unwarping(page: Image, size: tuple[int, int]) -> Floats:
    """Resize a page for the network: bilinear without antialiasing, as PaddleX does.

    The result is not rounded to whole grey levels: that alone shifts UVDoc's grid by a pixel.

    Args:
        page: uint8 [H, W, 3].
        size: (height, width) in pixels of the network's image.

    Returns:
        float32 [height, width, 3] in 0..255.
    """
    (top, down), (left, right) = (
        _pixel_centres(side, count) for side, count in zip(page.shape[:2], size, strict=True)
    )
    above, below = page[top], page[np.minimum(top + 1, page.shape[0] - 1)]
    next_left = np.minimum(left + 1, page.shape[1] - 1)
    # np.take is twice as fast as indexing with arrays.
    upper, lower = (
        rows.take(left, axis=1) * (1 - right) + rows.take(next_left, axis=1) * right
        for rows in (above, below)
    )
    return np.asarray(upper * (1 - down[..., np.newaxis]) + lower * down[..., np.newaxis])


def _pixel_centres(side_px: int, count: int) -> tuple[NDArray[np.intp], Floats]:
    """Return the lower pixel and the weight of the upper one for each of `count` pixels of a resized side."""
    places = np.clip((np.arange(count) + 0.5) * side_px / count - 0.5, 0, side_px - 1)
    lower = places.astype(np.intp)
    return lower, (places - lower).astype(np.float32)[:, np.newaxis]


def flatten(page: Page, grid: Floats, *, exact: bool) -> tuple[Page, Floats | None]:
    """Flatten a page, unless it is flat already.

    Args:
        page: the page, upright.
        grid: the network's answer, float32 [2, h, w], (x, y) from -1 to 1.
        exact: flatten every page as PaddleX does, which cuts the margins that the network cuts.

    Returns:
        The flat page, and the grid that it was sampled with; None where the page was left as it is.
    """
    if exact:
        size = (page.pixels.shape[0], page.pixels.shape[1])
        return replace(page, pixels=sample(page.pixels, grid, size, exact=True)), grid
    covering = None if is_flat(grid, page.size) else cover_whole_page(grid, page.size)
    if covering is None:
        return page, None
    whole_grid, size = covering
    height, width = (reduced(side, page.reduction) for side in size)
    pixels = sample(page.pixels, whole_grid, (height, width))
    return replace(page, pixels=pixels, size=size), whole_grid


def is_flat(grid: Floats, size: tuple[int, int]) -> bool:
    """Return whether the lines of text on a page are straight, according to the network's grid.

    Perspective, tilt and cut margins leave a line straight; so does a page that is bent around a horizontal
    axis. docs/unwarping.md has the measurements that the two limits come from.

    Args:
        grid: float32 [2, h, w], (x, y) from -1 to 1.
        size: (height, width) of the page in pixels.
    """
    if max(size) > MAX_ASPECT * min(size):
        return True
    bows = _bows(grid) * size[0] / 2 / np.hypot(*size)
    halves = np.array_split(bows, 2)
    whole, *parts = (_root_mean_square(part.mean(axis=0)) for part in (bows, *halves))
    return whole <= FLAT_BOW and max(parts) <= FLAT_HALF_BOW


def _bows(grid: Floats) -> Lattice:
    """Return how far the grid's rows differ from straight lines in y, without the noisy margins: [h', w']."""
    top, left = (round(count * NOISY_MARGIN) for count in grid.shape[1:])
    y = grid[1, top : grid.shape[1] - top, left : grid.shape[2] - left].astype(np.float64)
    line = np.column_stack([np.linspace(-1, 1, y.shape[1]), np.ones(y.shape[1])])
    fit, *_ = np.linalg.lstsq(line, y.T, rcond=None)
    return np.asarray(y - (line @ fit).T)


def _root_mean_square(values: Lattice) -> float:
    return float(np.sqrt(np.mean(values**2)))


def cover_whole_page(grid: Floats, size: tuple[int, int]) -> tuple[Floats, tuple[int, int]] | None:
    """Extend a grid so that the flat page shows all of the page as given, at the scale of its centre.

    Networks cut 3 to 25 % at each edge of a page that fills its image. Beyond its edges the grid continues by
    its best affine map, and the bend at the edge stays constant.

    Args:
        grid: float32 [2, h, w], (x, y) from -1 to 1.
        size: (height, width) of the page in pixels.

    Returns:
        The extended grid, float32 [2, h', w'], and (height, width) of the flat page in pixels. None where
        the grid folds or mirrors the page.
    """
    lattice, points = _lattice(grid.shape[1], grid.shape[2]), _points(grid)
    solution = np.linalg.lstsq(_homogeneous(lattice), points, rcond=None)
    affine: Lattice = solution[0].astype(np.float64)  # [3, 2]
    if np.linalg.det(affine[:2]) < 0.05:  # a flat page has 0.6 to 1
        return None
    residuals = points - _homogeneous(lattice) @ affine
    low, high = _extent(affine, residuals)
    counts = [int(np.ceil((high[k] - low[k]) / 2 * (grid.shape[2 - k] - 1))) + 1 for k in (0, 1)]
    wider = _lattice(counts[1], counts[0], low, high)
    bent = _at(residuals.T.reshape(grid.shape), np.clip(wider, -1, 1))
    extended = (_homogeneous(wider) @ affine + bent).T.reshape(2, counts[1], counts[0])
    return extended.astype(np.float32), _flat_size(affine, high - low, size)


def _extent(affine: Lattice, residuals: Lattice) -> tuple[Lattice, Lattice]:
    """Return the smallest and largest lattice coordinates of the page's corners, with room for its bend."""
    inverse = np.linalg.inv(affine[:2])
    corners = (_lattice(2, 2) - affine[2]) @ inverse
    room = np.abs(residuals @ inverse).max(axis=0)
    return np.minimum(corners.min(axis=0) - room, -1), np.maximum(corners.max(axis=0) + room, 1)


def _flat_size(affine: Lattice, extent: Lattice, size: tuple[int, int]) -> tuple[int, int]:
    height, width = size
    pixels = np.array([width, height]) / 2
    scales = np.linalg.norm(affine[:2] * pixels, axis=1) / pixels
    flat_width, flat_height = extent / 2 * scales * (width, height)
    shrink = min(1.0, np.sqrt(MAX_GROWTH * height * width / (flat_height * flat_width)))
    return max(1, round(flat_height * shrink)), max(1, round(flat_width * shrink))


def sample(page: Image, grid: Floats, size: tuple[int, int], *, exact: bool = False) -> Image:
    """Sample a page by a grid, bilinear.

    Args:
        page: uint8 [H, W, 3].
        grid: float32 [2, h, w], (x, y) from -1 (centre of the first pixel) to 1 (centre of the last).
        size: (height, width) in pixels of the result.
        exact: compute as PaddleX does: in float32, truncated, black beyond the page. OpenCV rounds places to
            1/32 px and is ten times as fast; beyond the page, its edge is repeated.

    Returns:
        uint8 [height, width, 3].
    """
    height, width = size
    flat = np.empty((height, width, 3), dtype=np.uint8)
    rows, down = interpolation(np.linspace(0, grid.shape[1] - 1, height), grid.shape[1])
    columns, right = interpolation(np.linspace(0, grid.shape[2] - 1, width), grid.shape[2])
    wide = _places(grid, page)[..., columns] * (1 - right) + _places(grid, page)[..., columns + 1] * right
    lattice_rows = wide.astype(np.float32)  # [2, h, width]
    weights = down.astype(np.float32)[:, np.newaxis]
    for tile in _tiles(rows, width):
        row = rows[tile[0].start]
        above, below = lattice_rows[:, row, tile[1]], lattice_rows[:, row + 1, tile[1]]
        x, y = (a + weights[tile[0]] * (b - a) for a, b in zip(above, below, strict=True))
        _sample_tile(page, x, y, flat[tile], exact=exact)
    return flat


def _places(grid: Floats, page: Image) -> Lattice:
    """Return the positions of a grid in pixels of a page; the centre of the first pixel is 0."""
    scale = (np.array(page.shape[1::-1]) - 1) / 2
    return (grid.astype(np.float64) + 1) * scale[:, np.newaxis, np.newaxis]


def _tiles(lattice_row: NDArray[np.intp], width: int) -> Iterator[tuple[slice, slice]]:
    """Cut a page into tiles, each between two rows of the lattice.

    Args:
        lattice_row: [height], the row of the lattice above each row of pixels.
        width: of the page in pixels.
    """
    tile_width = min(width, MAX_REMAP_SIDE_PX // 4)
    tile_height = max(1, TILE_PIXELS // tile_width)
    starts = np.flatnonzero(np.diff(lattice_row, prepend=-1))
    for start, end in zip(starts.tolist(), [*starts[1:].tolist(), len(lattice_row)], strict=True):
        for top in range(start, end, tile_height):
            for left in range(0, width, tile_width):
                yield slice(top, min(top + tile_height, end)), slice(left, min(left + tile_width, width))


def _sample_tile(page: Image, x: Floats, y: Floats, target: Image, *, exact: bool) -> None:
    """Sample a page at the positions (x, y) into `target`, from the part of the page that contains them."""
    top, bottom = _span(y, page.shape[0])
    left, right = _span(x, page.shape[1])
    if max(bottom - top, right - left) > MAX_REMAP_SIDE_PX and x.size > 1:
        axis = int(np.argmax(x.shape))
        for xs, ys, pixels in zip(*(np.array_split(a, 2, axis=axis) for a in (x, y, target)), strict=True):
            _sample_tile(page, xs, ys, pixels, exact=exact)
        return
    source = page[top:bottom, left:right]
    if exact:
        target[:] = _bilinear(source, x - left, y - top)
    else:
        target[:] = cv2.remap(source, x - left, y - top, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _bilinear(source: Image, x: Floats, y: Floats) -> Image:
    """Sample places (x, y) of an image, truncated to whole grey levels; black beyond the image."""
    height, width = source.shape[:2]
    framed = np.pad(source, ((1, 1), (1, 1), (0, 0)))
    (top, down), (left, right) = (
        interpolation(np.clip(places.astype(np.float64) + 1, 0, side + 1), side + 2)
        for places, side in ((y, height), (x, width))
    )
    right, down = right[..., np.newaxis], down[..., np.newaxis]
    upper = framed[top, left] * (1 - right) + framed[top, left + 1] * right
    lower = framed[top + 1, left] * (1 - right) + framed[top + 1, left + 1] * right
    return np.asarray(upper * (1 - down) + lower * down + ROUNDING_ERROR, dtype=np.uint8)


def _span(places: Floats, side_px: int) -> tuple[int, int]:
    """Return the first and last pixel plus one of a side that bilinear sampling at places needs."""
    low, high = int(np.floor(places.min())), int(np.floor(places.max())) + 2
    low = min(max(low, 0), side_px - 1)
    return low, max(min(high, side_px), low + 1)


def _lattice(
    rows: int,
    columns: int,
    low: Lattice | tuple[float, float] = (-1, -1),
    high: Lattice | tuple[float, float] = (1, 1),
) -> Lattice:
    """Return [rows * columns, 2], the points (x, y) of a regular lattice from `low` to `high`."""
    y, x = np.meshgrid(
        np.linspace(low[1], high[1], rows), np.linspace(low[0], high[0], columns), indexing="ij"
    )
    return np.stack([x.ravel(), y.ravel()], axis=1)


def _points(grid: Floats) -> Lattice:
    points: Lattice = grid.reshape(2, -1).T.astype(np.float64)
    return points


def _homogeneous(points: Lattice) -> Lattice:
    return np.column_stack([points, np.ones(len(points))])


def _at(grid: Lattice, points: Lattice) -> Lattice:
    """Interpolate [2, h, w] at points (x, y) from -1 to 1: [n, 2]."""
    columns, rows = ((points[:, k] + 1) / 2 * (grid.shape[2 - k] - 1) for k in (0, 1))
    (top, down), (left, right) = interpolation(rows, grid.shape[1]), interpolation(columns, grid.shape[2])
    above = grid[:, top, left] * (1 - right) + grid[:, top, left + 1] * right
    below = grid[:, top + 1, left] * (1 - right) + grid[:, top + 1, left + 1] * right
    return np.asarray((above * (1 - down) + below * down).T)
