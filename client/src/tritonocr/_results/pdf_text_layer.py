"""The invisible text of a PDF page: the position and the font of each word."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median

import numpy as np
from numpy.typing import NDArray

from .._exceptions import missing_extra
from .page_text import PageBlock, PlacedText, TextLine, TextWord
from .reading_order import reads_right_to_left

try:
    import pikepdf
    from fontTools.fontBuilder import FontBuilder  # type: ignore[import-untyped]
    from fontTools.pens.ttGlyphPen import TTGlyphPen  # type: ignore[import-untyped]
except ImportError as error:
    raise missing_extra("viz", "Writing PDFs", error) from error

FONT_NAME = "/TritonOCRText"

_ADVANCE_EM = 0.5
_DESCENT_EM = 0.2
_MOST_MAPPINGS = 100  # Adobe Technical Note 5411: entries per bfchar block
_LEVEL_DEG = 0.5  # a line with a smaller tilt is written horizontally
_STEEP_DEG = 6.0
_SIZE_OF_STEEP = 0.3  # of a steep line's height: larger words run into those of the lines above and below
_SAME_SIZE = 0.2  # lines of a block whose heights differ by less get one font size

Points = NDArray[np.float64]


@dataclass
class TextFont:
    """A font whose every character is the same blank box, so that text of every script can be written.

    The box has an outline: PDFium does not find glyphs without one. Characters get their codes in the order
    in which they come, so that the font holds no more than the document needs.
    """

    codes: dict[str, int] = field(default_factory=dict)

    def encoded(self, text: str) -> str:
        """Return the text as a hexadecimal PDF string."""
        return f"<{''.join(f'{self._code(character):04x}' for character in text)}>"

    def _code(self, character: str) -> int:
        return self.codes.setdefault(character, (len(self.codes) + 1) % 0x10000)

    def fill(self, pdf: pikepdf.Pdf, font: pikepdf.Object) -> None:
        """Write the font into a dictionary of the document; call this after the last `encoded`."""
        name = pikepdf.Name(FONT_NAME)
        file = pdf.make_stream(_font_file())
        descriptor = pikepdf.Dictionary(
            Type=pikepdf.Name.FontDescriptor, FontName=name, Flags=5, ItalicAngle=0, StemV=80, CapHeight=800,
            FontBBox=[0, -200, 500, 800], Ascent=800, Descent=-200, FontFile2=file,
        )  # fmt: skip
        glyphs = pdf.make_stream(b"\0\1" * (len(self.codes) + 1))
        descendant = pikepdf.Dictionary(
            Type=pikepdf.Name.Font, Subtype=pikepdf.Name.CIDFontType2, BaseFont=name, DW=500,
            CIDSystemInfo=pikepdf.Dictionary(Registry=b"Adobe", Ordering=b"Identity", Supplement=0),
            FontDescriptor=pdf.make_indirect(descriptor), CIDToGIDMap=glyphs,
        )  # fmt: skip
        font["/Type"], font["/Subtype"] = pikepdf.Name.Font, pikepdf.Name.Type0
        font["/BaseFont"], font["/Encoding"] = name, pikepdf.Name("/Identity-H")
        font["/DescendantFonts"] = pikepdf.Array([pdf.make_indirect(descendant)])
        font["/ToUnicode"] = pdf.make_stream(self._to_unicode().encode())

    def _to_unicode(self) -> str:
        """Return the CMap from codes to Unicode (PDF 32000-1, 9.10.3)."""
        rows = [
            f"<{code:04x}> <{character.encode('utf-16-be', 'surrogatepass').hex()}>"
            for character, code in self.codes.items()
        ]
        blocks = [rows[start : start + _MOST_MAPPINGS] for start in range(0, len(rows), _MOST_MAPPINGS)]
        mappings = "\n".join(
            f"{len(block)} beginbfchar\n" + "\n".join(block) + "\nendbfchar" for block in blocks
        )
        return (
            "/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n"
            "/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def\n"
            "/CMapName /Adobe-Identity-UCS def\n/CMapType 2 def\n"
            f"1 begincodespacerange\n<0000> <ffff>\nendcodespacerange\n{mappings}\n"
            "endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend\n"
        )


def _font_file() -> bytes:
    """Return a TrueType font with `.notdef` and one box from the descent to the ascent."""
    pen = TTGlyphPen(None)
    corners = ((0, -200), (0, 800), (500, 800), (500, -200))
    pen.moveTo(corners[0])
    for corner in corners[1:]:
        pen.lineTo(corner)
    pen.closePath()
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", "box"])
    builder.setupCharacterMap({})
    box = pen.glyph()
    builder.setupGlyf({".notdef": box, "box": box})
    builder.setupHorizontalMetrics({name: (round(_ADVANCE_EM * 1000), 0) for name in (".notdef", "box")})
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "TritonOCRText", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.updateHead(created=0, modified=0)  # the same pages give the same bytes
    builder.font.recalcTimestamp = False
    file = io.BytesIO()
    builder.save(file)
    return file.getvalue()


def text_layer(
    blocks: Sequence[PageBlock], to_page: PageMap, font: TextFont, leave_out_source: str | None = None
) -> bytes:
    """Return the content stream of a page's invisible text, in reading order.

    Args:
        blocks: the blocks of the page.
        to_page: maps pixels of the result to points of the page.
        font: the font of the document.
        leave_out_source: lines of this source are not written, such as "pdf" if the page has their text.
    """
    operators = [
        operator
        for block in blocks
        for line, size in _with_sizes(block, to_page)
        if line.source != leave_out_source
        for operator in _line_operators(line, size, to_page, font)
    ]
    if not operators:
        return b""
    return "\n".join(["q", *operators, "Q", ""]).encode()


class PageMap:
    """Maps pixels of a page as it was read to points of a PDF page, through its rotation and its box."""

    def __init__(
        self, size_px: tuple[float, float], box: tuple[float, float, float, float], rotation: int, angle: int
    ) -> None:
        """Describe a page.

        Args:
            size_px: (width, height) of the page that coordinates refer to.
            box: left, bottom, right, top of the visible part of the PDF page, in points, before rotation.
            rotation: degrees clockwise by which a viewer turns the page.
            angle: degrees counter-clockwise by which the page was turned before it was read.
        """
        self._size_px = np.asarray(size_px, np.float64)
        self._box = box
        self._turns = ((rotation - angle) // 90) % 4

    def points(self, pixels: NDArray[np.float64]) -> Points:
        """Map [n,2] (x, y) from the top left to (x, y) from the bottom left."""
        x, y = (pixels / self._size_px).T
        left, bottom, right, top = self._box
        for _ in range(self._turns):
            x, y = y, 1 - x
        return np.stack([left + x * (right - left), top - y * (top - bottom)], axis=1)


def _with_sizes(block: PageBlock, to_page: PageMap) -> Iterator[tuple[TextLine, float]]:
    """Yield the lines of a block with their font sizes in points.

    Lines of about the same height get the same size: poppler parts a paragraph whose sizes vary.
    """
    lines = [line for line in block.lines if line.text.strip()]
    heights = [_height(to_page.points(line.quad)) for line in lines]
    common = median(heights) if heights else 0.0
    for line, height in zip(lines, heights, strict=True):
        yield line, common if abs(height - common) <= _SAME_SIZE * common else height


def _height(quad: Points) -> float:
    return float(np.linalg.norm(quad[0] - quad[3]) + np.linalg.norm(quad[1] - quad[2])) / 2


def _line_operators(line: TextLine, size: float, to_page: PageMap, font: TextFont) -> Iterator[str]:
    """Yield a text object with the words of a line, and a space that fills the gap between two words.

    A word of a tilted line is set level at its place on the line: poppler takes each character of a tilted
    word for a word. A space ends such a line, because pypdf joins the next line to it. Words that read from
    right to left are mirrored, so that their characters are stored in the order in which they are read.
    """
    along, tilt_deg = _direction(to_page.points(line.quad))
    is_tilted = tilt_deg > _LEVEL_DEG
    if tilt_deg > _STEEP_DEG:
        size *= _SIZE_OF_STEEP
    upwards = np.array([-along[1], along[0]])
    yield f"BT\n{FONT_NAME} 1 Tf\n3 Tr"
    is_mirrored = reads_right_to_left(line.text)
    end: float | None = None
    is_plumb = not along[0]  # PDFium takes each text object of a vertical line for a line
    pieces: Sequence[PlacedText] = [line] if is_plumb else line.words
    for word in pieces:
        quad = to_page.points(word.quad)
        middle = (quad + quad[[3, 2, 1, 0]]) / 2  # the corners of tilted neighbours overlap
        places, level = middle @ along, float((quad @ upwards).mean())
        first, last = (places.max(), places.min()) if is_mirrored else (places.min(), places.max())
        base = upwards * (level - size * (0.5 - _DESCENT_EM))
        if end is not None:
            yield _shown(" ", along, upwards * size, base, (end, _after(end, first, is_mirrored)), font)
        yield _shown(word.text, along, upwards * size, base, (first, last), font)
        end = float(last) if is_tilted or (isinstance(word, TextWord) and word.has_space_after) else None
    if end is not None:
        yield _shown(" ", along, upwards * size, base, (end, _after(end, end, is_mirrored)), font)
    yield "ET"


def _after(end: float, start: float, is_mirrored: bool) -> float:
    """Return where a space ends: at the next word, or just behind its start if the words overlap."""
    return min(start, end - 0.01) if is_mirrored else max(start, end + 0.01)


def _shown(
    text: str, along: Points, up: Points, base: Points, places: tuple[float, float], font: TextFont
) -> str:
    start, end = places
    stretch = along * ((end - start) / (len(text) * _ADVANCE_EM) or 0.01)
    numbers = (*stretch, *up, *(along * start + base))
    return f"{' '.join(f'{number:.4f}' for number in numbers)} Tm\n{font.encoded(text)} Tj"


def _direction(quad: Points) -> tuple[Points, float]:
    """Return the axis of a line as a unit vector, and the angle between the line and the axis in degrees."""
    along = quad[1] - quad[0] + quad[2] - quad[3]
    angle = float(np.degrees(np.arctan2(along[1], along[0])))
    nearest = 90 * round(angle / 90)
    unit = np.rint([np.cos(np.radians(nearest)), np.sin(np.radians(nearest))])
    return unit, abs(angle - nearest)
