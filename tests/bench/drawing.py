"""Draw pages with a given number of lines and pixels, and known text."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

from bench.measured import ReadLine

DENSE_SIDE_PX = 3200
_DENSE_SIZE_PX = (2400, 3200)
PIXELS = 2400 * 3200
_COLUMNS = 6
_ROW_PX = 18
_FONT_PX = 12
_WORDS = ("total", "cash", "item", "tax", "change", "card", "date", "time", "price", "table", "order", "paid")


@dataclass(frozen=True)
class DrawnPage:
    """A page on disk, and its lines."""

    path: Path
    truth: list[ReadLine]


def write_dense_page(path: Path, lines: int, scale: float = 1.0, seed: int = 5) -> DrawnPage:
    """Draw short lines in six columns.

    Args:
        path: where the JPEG goes.
        lines: how many, at most 1050.
        scale: of the page and all that is on it; 1 is 2400 x 3200 px.
        seed: of the texts.
    """
    width, height = (round(side * scale) for side in _DENSE_SIZE_PX)
    page = PIL.Image.new("RGB", (width, height), "white")
    draw = PIL.ImageDraw.Draw(page)
    font = PIL.ImageFont.load_default(round(_FONT_PX * scale))
    texts = random.Random(seed)
    truth = []
    for number in range(lines):
        row, column = divmod(number, _COLUMNS)
        position = ((column * 390 + 40) * scale, (row * _ROW_PX + 20) * scale)
        text = f"{texts.choice(_WORDS)} {texts.randint(1, 9999)}"
        draw.text(position, text, font=font, fill="black")
        x, y, x_end, y_end = draw.textbbox(position, text, font=font)
        truth.append(([(x, y), (x_end, y), (x_end, y_end), (x, y_end)], text))
    page.save(path, quality=92)
    return DrawnPage(path, truth)
