"""Pictures of drawn pages: the page itself, and its lines numbered in an order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from order_pages import DrawnPage
from PIL import Image, ImageDraw, ImageFont

_FONT_FILE = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
_MARK_COLOUR = (200, 30, 30)
_PATH_COLOUR = (30, 90, 200)


def rendered(page: DrawnPage) -> Image.Image:
    """Draw the text of each line into its quad; the page is white."""
    sheet = Image.new("RGB", (page.size[1], page.size[0]), "white")
    for quad, text in zip(page.quads, page.texts, strict=True):
        across = quad[1] - quad[0]
        width, height = float(np.linalg.norm(across)), float(np.linalg.norm(quad[3] - quad[0]))
        font = ImageFont.truetype(str(_FONT_FILE), round(height))
        font = ImageFont.truetype(str(_FONT_FILE), height * min(1.0, width / font.getlength(text)))
        line = Image.new("L", (int(width) + 2, int(1.3 * height)), 0)
        ImageDraw.Draw(line).text((0, 0), text, font=font, fill=255)
        degrees = float(np.degrees(np.arctan2(across[1], across[0])))
        turned = line.rotate(-degrees, expand=True, resample=Image.Resampling.BICUBIC)
        center = quad.mean(axis=0) - np.array(turned.size) / 2
        sheet.paste((20, 20, 20), (round(center[0]), round(center[1])), turned)
    return sheet


def numbered(picture: Image.Image, page: DrawnPage, order: Sequence[int]) -> Image.Image:
    """Draw the number of each line at its left end, and a path from line to line."""
    drawn = picture.copy()
    pen = ImageDraw.Draw(drawn)
    starts = [(x - 18, y) for x, y in (page.quads[line][[0, 3]].mean(axis=0) for line in order)]
    pen.line(starts, fill=_PATH_COLOUR, width=2)
    font = ImageFont.truetype(str(_FONT_FILE), 15)
    for number, (x, y) in enumerate(starts, 1):
        pen.ellipse((x - 14, y - 14, x + 14, y + 14), fill=_MARK_COLOUR)
        pen.text((x, y), str(number), font=font, fill="white", anchor="mm")
    return drawn
