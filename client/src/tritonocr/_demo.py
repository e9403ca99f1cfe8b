"""The demo page: a drawn page that exercises every stage of the pipeline."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ._exceptions import missing_extra

try:
    from PIL import Image, ImageDraw
except ImportError as error:
    raise missing_extra("viz", "The demo page", error) from error

from ._results.fonts import draw_text, text_width

WIDTH_PX, HEIGHT_PX = 960, 1280
_MARGIN_PX = 8
_DESK_PX = 36  # width of the desk around the sheet; the unwarping network was trained on photographed pages
_DESK_COLOR = "#9a8f80"


@dataclass(frozen=True)
class DemoLine:
    """One line of the page.

    Attributes:
        text: the text.
        x: left end of the line in pixels, before it is turned.
        y: vertical middle of the line in pixels.
        size_px: font size in pixels.
        angle: degrees counter-clockwise by which the line is turned around its middle.
        why: the stage that the line exercises.
    """

    text: str
    x: int
    y: int
    size_px: int
    angle: float = 0
    why: str = "recognition"


DEMO_LINES = (
    DemoLine("文字识别演示", 90, 110, 72, why="Chinese, large"),
    DemoLine("一页图像进，几行文字出", 90, 220, 40, why="Chinese"),
    DemoLine("A page in, text out", 90, 320, 44, why="English"),
    DemoLine("Order 0123456789", 90, 410, 44, why="digits"),
    DemoLine("Total: 1280.50 EUR", 90, 500, 44, why="punctuation"),
    DemoLine("This line is slightly tilted", 90, 640, 44, angle=4, why="rotated crops"),
    DemoLine("This line stands on its head", 90, 780, 44, angle=180, why="text-line orientation"),
    DemoLine("同一行里的 English 与中文", 90, 880, 40, why="mixed scripts"),
    DemoLine("Vertical line", 680, 990, 44, angle=-90, why="vertical crops"),
    DemoLine("small print is read as well", 90, 980, 24, why="small text"),
    DemoLine("谢谢，再见", 90, 1120, 56, why="Chinese"),
)


def demo_page() -> NDArray[np.uint8]:
    """Draw the page.

    Returns:
        [1280, 960, 3] BGR uint8; the same for the same Pillow and fonts. Its text is `DEMO_LINES`.

    Raises:
        MissingExtraError: the extra [viz] is not installed.
    """
    page = Image.new("RGB", (WIDTH_PX, HEIGHT_PX), _DESK_COLOR)
    page.paste("white", (_DESK_PX, _DESK_PX, WIDTH_PX - _DESK_PX, HEIGHT_PX - _DESK_PX))
    for line in DEMO_LINES:
        _paste(page, line)
    return np.ascontiguousarray(np.asarray(page)[:, :, ::-1])


def _paste(page: Image.Image, line: DemoLine) -> None:
    width = round(text_width(line.text, line.size_px)) + 2 * _MARGIN_PX
    strip = Image.new("RGB", (width, round(line.size_px * 1.5)), "white")
    draw_text(ImageDraw.Draw(strip), _MARGIN_PX, strip.height / 2, line.text, line.size_px)
    middle_x = line.x - _MARGIN_PX + width // 2
    turned = strip.rotate(line.angle, Image.Resampling.BICUBIC, expand=True, fillcolor="white")
    page.paste(turned, (middle_x - turned.width // 2, line.y - turned.height // 2))
