"""Draw pages of text, flat and as photographs of bent paper, with their lines."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont
from numpy.typing import NDArray

Bend = Literal["none", "book", "roll", "wave", "curl"]

WORDS = [
    *("invoice", "number", "total", "amount", "page", "water", "river", "paper", "letter", "ground"),
    *("people", "mountain", "evening", "morning", "harbour", "signal", "window", "garden", "winter"),
    *("summer", "engine", "travel", "market", "report", "figure", "detail", "second", "minute"),
]


@dataclass(frozen=True)
class TextPage:
    """A white page of text: BGR uint8 [H, W, 3] and its lines, from the top margin to the footers."""

    pixels: NDArray[np.uint8]
    lines: tuple[str, ...]


def text_page(seed: int = 0, size: tuple[int, int] = (1170, 830), font_px: int = 20) -> TextPage:
    """Draw a page of (height, width) px, whose header and footers stand close to the edges."""
    random = np.random.default_rng(seed)
    height, width = size
    image = PIL.Image.new("RGB", (width, height), "white")
    draw = PIL.ImageDraw.Draw(image)
    font = PIL.ImageFont.load_default(font_px)
    lines: list[str] = []

    def put(x: int, y: int, text: str) -> None:
        draw.text((x, y), text, fill="black", font=font)
        lines.append(text)

    put(50, 14, f"Header of document {seed}")
    for y in range(70, height - 90, 2 * font_px):
        words = random.choice(WORDS, size=random.integers(4, 7)).tolist()
        put(60, y, " ".join(words))
    put(14, height - 34, "Note at the bottom left")
    put(width - 180, height - 34, f"Page {seed} of 90")
    return TextPage(np.asarray(image)[..., ::-1].copy(), tuple(lines))


def photograph(
    page: NDArray[np.uint8], bend: Bend, strength: float = 0.0, *, desk: float = 0.1, perspective: float = 0.0
) -> NDArray[np.uint8]:
    """Draw a photograph of a page.

    Args:
        page: uint8 [H, W, 3].
        bend: book: a cylinder whose axis is vertical, so that lines bow; roll: its axis is horizontal; wave:
            lines rise and fall; curl: the bottom right corner.
        strength: how far the paper moves, as a fraction of its height.
        desk: what is seen of the desk at each edge, as a fraction of the page.
        perspective: how much narrower the far edge of the page is than the near one.
    """
    height, width = page.shape[:2]
    margins = np.array([height, width]) * desk
    rows, columns = (np.arange(round(side * (1 + 2 * desk))) for side in (height, width))
    v, u = np.meshgrid((rows - margins[0]) / height, (columns - margins[1]) / width, indexing="ij")
    u = (u - 0.5) * (1 + perspective * (0.5 - v)) + 0.5
    across, down, corner = (np.clip(part, -0.1, 1.1) for part in (u, v, (u + v - 1.2) / 0.8))
    moved = {
        "none": (0 * u, 0 * v),
        "book": (0 * u, strength * np.sin(np.pi * across)),
        "roll": (strength * np.sin(np.pi * down), 0 * v),
        "wave": (0 * u, strength * np.sin(2 * np.pi * across)),
        "curl": (strength * np.maximum(corner, 0) ** 2, strength * np.maximum(corner, 0) ** 2),
    }
    u, v = u + moved[bend][0], v + moved[bend][1]
    places = [(part * side).astype(np.float32) for part, side in ((u, width), (v, height))]
    photo = cv2.remap(page, *places, cv2.INTER_CUBIC)
    is_paper = (u >= 0) & (u <= 1) & (v >= 0) & (v <= 1)
    noise = np.random.default_rng(0).normal(size=(rows.size // 16 + 1, columns.size // 16 + 1))
    grain = cv2.resize(noise.astype(np.float32), (columns.size, rows.size), interpolation=cv2.INTER_CUBIC)
    wood = np.clip(np.array([60, 80, 110]) + 25 * grain[..., np.newaxis], 0, 255)
    return np.where(is_paper[..., np.newaxis], photo, wood).astype(np.uint8)


def as_pdf(page: TextPage, path: Path) -> bytes:
    """Write a page as the picture of a PDF without a text layer, and return its bytes."""
    PIL.Image.fromarray(page.pixels[..., ::-1]).save(path, resolution=144)
    return path.read_bytes()
