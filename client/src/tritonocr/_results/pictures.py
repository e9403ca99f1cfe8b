"""Draw results as pictures, in PaddleX's layout."""

from __future__ import annotations

import io
import random
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._exceptions import missing_extra

try:
    from PIL import Image, ImageChops, ImageDraw
except ImportError as error:
    raise missing_extra("viz", "Drawing results", error) from error

from .fonts import draw_text, text_picture
from .reading_order import reading_quad

_CAPTION_HEIGHT_PX = 40
_CAPTION_SIZE_PX = 24
_GAP_PX = 10
_SHEET_COLOR = "#e8e8e8"  # so that white pages show their edges


def decoded(picture: bytes, max_side_px: int | None = None) -> tuple[Image.Image, float]:
    """Decode a picture that the server encoded, reduced to a longest side where it exceeds it.

    Args:
        picture: the encoded bytes.
        max_side_px: the longest side of the result, in pixels; None keeps the size.

    Returns:
        The picture in RGB, and its scale: pixels of the result per pixel of the encoded picture.
    """
    image: Image.Image = Image.open(io.BytesIO(picture))
    width, height = image.size
    if max_side_px is not None and max(width, height) > max_side_px:
        scale = max_side_px / max(width, height)
        size = max(int(width * scale), 1), max(int(height * scale), 1)
        image.draft("RGB", size)  # a JPEG is decoded at a half, quarter or eighth
        image = image.resize(size, Image.Resampling.BOX)
    reduced = image.convert("RGB")
    return reduced, reduced.width / width


def ocr_picture(page: Image.Image, polys: Sequence[NDArray[Any]], texts: Sequence[str]) -> Image.Image:
    """Draw the page with its boxes beside the recognised text, as PaddleX's `ocr_res_img`.

    Args:
        page: the preprocessed page, of W x H pixels.
        polys: the corners [4,2] of each line, clockwise from the top left.
        texts: the text of each line.

    Returns:
        A picture of 2W x H pixels. Left: the page under half-transparent polygons. Right: each text in its
        polygon's outline on white. The colours come from a fixed seed.
    """
    boxes, texts_side = page.copy(), Image.new("RGB", page.size, "white")
    on_boxes, on_texts = ImageDraw.Draw(boxes), ImageDraw.Draw(texts_side)
    colors = random.Random(0)  # noqa: S311 (colours)
    for poly, text in zip(polys, texts, strict=True):
        color = (colors.randrange(256), colors.randrange(256), colors.randrange(256))
        corners = [(int(x), int(y)) for x, y in poly]
        on_boxes.polygon(corners, fill=color)
        _place_text(texts_side, reading_quad(poly), text)
        on_texts.polygon(corners, outline=color)
    both = Image.new("RGB", (2 * page.width, page.height))
    both.paste(Image.blend(page, boxes, 0.5), (0, 0))
    both.paste(texts_side, (page.width, 0))
    return both


def _place_text(canvas: Image.Image, quad: NDArray[np.float64], text: str) -> None:
    """Draw text into a quadrilateral, from its first to its second corner, and keep darker pixels below."""
    left, top = (int(edge) for edge in np.floor(quad.min(axis=0)))
    right, bottom = (int(edge) + 1 for edge in np.ceil(quad.max(axis=0)))
    width, height = (max(int(np.linalg.norm(quad[corner] - quad[0])), 1) for corner in (1, 3))
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float64)
    coefficients = _perspective(quad - (left, top), corners)
    if coefficients is None:
        return
    placed = text_picture(text, width, height).transform(
        (right - left, bottom - top),
        Image.Transform.PERSPECTIVE,
        coefficients,
        Image.Resampling.BICUBIC,
        fillcolor="white",
    )
    below = canvas.crop((left, top, right, bottom))
    canvas.paste(ImageChops.darker(below, placed), (left, top))


def _perspective(source: NDArray[np.float64], target: NDArray[np.float64]) -> tuple[float, ...] | None:
    """Return the eight coefficients that map four points to four others; None if three are collinear.

    x' = (ax + by + c) / (gx + hy + 1), y' = (dx + ey + f) / (gx + hy + 1)
    """
    rows = []
    for (x, y), (u, v) in zip(source, target, strict=True):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y])
    try:
        return tuple(np.linalg.solve(np.array(rows), target.reshape(8)).tolist())
    except np.linalg.LinAlgError:
        return None


def preprocessing_picture(page: Image.Image, angle: int, unwarped: Image.Image) -> Image.Image:
    """Draw the page, the turned page and the unwarped page side by side, as PaddleX's `preprocessed_img`.

    Args:
        page: the decoded page.
        angle: degrees counter-clockwise by which the page was turned; -1 if orientation was off.
        unwarped: the page after rotation and unwarping.
    """
    turned = page if angle <= 0 else page.transpose(getattr(Image.Transpose, f"ROTATE_{angle}"))
    panels = [("Original Image", page), ("Rotated Image", turned), ("Unwarped Image", unwarped)]
    width = sum(panel.width for _, panel in panels) + _GAP_PX * (len(panels) - 1)
    height = max(panel.height for _, panel in panels) + _CAPTION_HEIGHT_PX
    sheet = Image.new("RGB", (width, height), _SHEET_COLOR)
    draw, x = ImageDraw.Draw(sheet), 0
    for caption, panel in panels:
        sheet.paste(panel, (x, 0))
        draw_text(draw, x, panel.height + _CAPTION_HEIGHT_PX / 2, caption, _CAPTION_SIZE_PX)
        x += panel.width + _GAP_PX
    return sheet
