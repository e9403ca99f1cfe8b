"""Text in any script, drawn with the Noto fonts of the extra [viz].

A character that no font has is drawn as a "missing" box. Without the font packages, Pillow's own Latin font
draws all text. Neither case is an error.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from .reading_order import reads_right_to_left

_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

# Where the em square's middle lies above the baseline, in ems: Noto's capitals and ideographs agree.
_MIDDLE_EM = 0.37


@dataclass(frozen=True)
class Face:
    """A font file and a font's index in it; no path means Pillow's built-in font."""

    path: Path | None
    index: int = 0

    def has(self, character: str) -> bool:
        """Return whether the font has the character."""
        return ord(character) in _characters(self)


@dataclass(frozen=True)
class Run:
    """A piece of text in one face."""

    face: Face
    text: str


@lru_cache
def _characters(face: Face) -> frozenset[int]:
    from fontTools.ttLib import TTFont  # type: ignore[import-untyped]

    if face.path is None:
        return frozenset(range(0x20, 0x17F))
    with TTFont(face.path, fontNumber=face.index, lazy=True) as font:
        return frozenset(font.getBestCmap())


@lru_cache
def _package(name: str) -> Path | None:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        warnings.warn(
            f"The font package {name!r} is not installed, so some text is drawn as boxes; "
            "install it with: pip install 'tritonocr[viz]'.",
            stacklevel=2,
        )
        return None
    return Path(spec.origin).parent


def _faces(text: str) -> Iterator[Face]:
    """Yield the faces in order of preference; ideographs take the shapes of the text's language."""
    noto = _package("manimgx_fonts")
    if noto is not None:
        main = noto / "NotoSans[wght].ttf"
        yield Face(main)
        yield from (Face(path) for path in sorted(noto.glob("NotoSans*.ttf")) if path != main)
    cjk = _package("noto_cjk_sans_otc")
    if cjk is not None:
        yield Face(cjk / "NotoSansCJK-Regular.ttc", _cjk_index(text))
    if noto is not None:
        yield Face(noto / "NotoEmoji[wght].ttf")
    yield Face(None)


def _cjk_index(text: str) -> int:
    """Return the collection's index for Japanese (kana), Korean (hangul), else simplified Chinese."""
    if any("\u3040" <= character <= "\u30ff" for character in text):
        return 0
    return 1 if any("\uac00" <= character <= "\ud7a3" for character in text) else 2


def runs(text: str) -> list[Run]:
    """Split text into runs of one face each, from left to right on the page.

    A character keeps the face of the character before it if that face has it, so that digits and blanks do
    not divide a run.
    """
    faces = tuple(_faces(text))
    found: list[Run] = []
    for character in text:
        current = found[-1].face if found else None
        if current is not None and current.has(character):
            face = current
        else:
            face = next((face for face in faces if face.has(character)), current or faces[0])
        if face == current:
            found[-1] = Run(face, found[-1].text + character)
        else:
            found.append(Run(face, character))
    return found[::-1] if reads_right_to_left(text) else found


@lru_cache(maxsize=256)
def _font(face: Face, size_px: int) -> _Font:
    if face.path is None:
        return ImageFont.load_default(size_px)
    return ImageFont.truetype(str(face.path), size_px, index=face.index)  # Pillow 10.1 wants a str


def text_width(text: str, size_px: int) -> float:
    """Return the width of the text in pixels."""
    return sum(_font(run.face, size_px).getlength(run.text) for run in runs(text))


def draw_text(
    draw: ImageDraw.ImageDraw, x: float, middle_y: float, text: str, size_px: int, fill: str = "black"
) -> None:
    """Draw one line of text.

    Args:
        draw: the canvas.
        x: left end of the text in pixels.
        middle_y: vertical middle of its capitals in pixels.
        text: one line.
        size_px: size of the em square.
        fill: colour.
    """
    baseline = middle_y + _MIDDLE_EM * size_px
    for run in runs(text):
        font = _font(run.face, size_px)
        draw.text((x, baseline), run.text, fill=fill, font=font, anchor="ls")
        x += font.getlength(run.text)


def fitted_size(text: str, width_px: float, height_px: float) -> int:
    """Return the font size in pixels: 0.8 of the height, or less if the text is too wide; at least 1."""
    size = max(int(height_px * 0.8), 1)
    width = text_width(text, size)
    return size if width <= width_px else max(int(size * width_px / width), 1)


def text_picture(text: str, width_px: int, height_px: int) -> Image.Image:
    """Draw text on a white strip of the given size, from the side at which reading starts.

    Control characters are drawn as blanks.
    """
    picture = Image.new("RGB", (width_px, height_px), "white")
    shown = "".join(character if character.isprintable() else " " for character in text)
    size = fitted_size(shown, width_px, height_px)
    x = width_px - text_width(shown, size) if reads_right_to_left(shown) else 0
    draw_text(ImageDraw.Draw(picture), x, _visible_middle(shown, size, height_px), shown, size)
    return picture


def _visible_middle(text: str, size_px: int, height_px: int) -> float:
    """Return the y of the capitals' middle that keeps low marks (Kannada) and high marks (Thai) inside."""
    ink = [_font(run.face, size_px).getbbox(run.text, anchor="ls") for run in runs(text)]
    above, below = (min((box[1] for box in ink), default=0), max((box[3] for box in ink), default=0))
    rise = _MIDDLE_EM * size_px
    return max(min(height_px / 2, height_px - below - rise), -above - rise)
