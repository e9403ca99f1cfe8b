"""Draw test PDFs: forms, annotations, pictures and text layers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from bombs import pdf, stream

HELVETICA = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>"
FONT_RESOURCES = b"/Font<</F 5 0 R>>"


def page_of(
    content: bytes,
    *,
    entries: bytes = b"",
    box: tuple[int, int] = (300, 200),
    catalog: bytes = b"",
    resources: bytes = FONT_RESOURCES,
    objects: Sequence[bytes] = (),
) -> bytes:
    """Return a PDF of one page.

    Args:
        content: the content stream.
        entries: more entries of the page dictionary.
        box: width and height in units of page space.
        catalog: more entries of the catalogue.
        resources: the page's resources; object 5 is Helvetica.
        objects: more objects, numbered from 6.
    """
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 %d %d]/Contents 4 0 R/Resources<<%s>>%s>>" % (
        *box,
        resources,
        entries,
    )
    head = [b"<</Type/Catalog/Pages 2 0 R%s>>" % catalog, b"<</Type/Pages/Kids[3 0 R]/Count 1>>"]
    return pdf([*head, page, stream(content), HELVETICA, *objects])


def text_at(x: float, y: float, text: str, *, size: float = 12, mode: int = 0) -> bytes:
    """Return the operators that show a text at a point of page space, in a rendering mode."""
    escaped = text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)").encode("cp1252")
    return b"BT /F %g Tf %d Tr %g %g Td (%s) Tj ET\n" % (size, mode, x, y, escaped)


def form_page(
    field: bytes, *, appearance: bytes | None = None, acroform: bytes = b"", state: bytes = b""
) -> bytes:
    """Return a PDF with one widget at [50 50 250 150].

    Args:
        field: entries of the field, such as its type and value.
        appearance: content of its normal appearance, 200 by 100 points; None: the field has none.
        acroform: more entries of the AcroForm dictionary.
        state: name of the appearance's state, of buttons.
    """
    form = b"/Type/XObject/Subtype/Form/BBox[0 0 200 100]/Resources<<%s>>" % FONT_RESOURCES
    shown = b""
    objects = []
    if appearance is not None:
        shown = b"/AP<</N<</%s 7 0 R>>>>/AS/%s" % (state, state) if state else b"/AP<</N 7 0 R>>"
        objects = [stream(appearance, form)]
    widget = b"<</Type/Annot/Subtype/Widget/Rect[50 50 250 150]/F 4/P 3 0 R/T(a)%s%s>>" % (field, shown)
    catalog = b"/AcroForm<</Fields[6 0 R]/DA(/F 12 Tf 0 g)/DR<<%s>>%s>>" % (FONT_RESOURCES, acroform)
    return page_of(b"", entries=b"/Annots[6 0 R]", catalog=catalog, objects=[widget, *objects])


def annotated_page(annotation: bytes, appearance: bytes) -> bytes:
    """Return a PDF with one annotation at [50 50 250 150] that has an appearance."""
    form = b"/Type/XObject/Subtype/Form/BBox[0 0 200 100]/Resources<<%s>>" % FONT_RESOURCES
    note = b"<</Type/Annot/Rect[50 50 250 150]/F 4/AP<</N 7 0 R>>%s>>" % annotation
    return page_of(b"", entries=b"/Annots[6 0 R]", objects=[note, stream(appearance, form)])


def picture_page(
    box: tuple[int, int],
    picture_px: tuple[int, int],
    place: tuple[float, float, float, float],
    *,
    entries: bytes = b"",
) -> bytes:
    """Return a PDF page with a grey gradient of so many pixels, placed at (x, y, width, height)."""
    width, height = picture_px
    pixels = np.tile(np.linspace(0, 255, width).astype(np.uint8), (height, 1)).tobytes()
    image = stream(
        pixels,
        b"/Type/XObject/Subtype/Image/Width %d/Height %d/ColorSpace/DeviceGray/BitsPerComponent 8"
        % picture_px,
        packed=1,
    )
    x, y, w, h = place
    content = b"q %g 0 0 %g %g %g cm /I Do Q" % (w, h, x, y)
    return page_of(content, box=box, resources=b"/XObject<</I 6 0 R>>", objects=[image], entries=entries)


def born_digital(pages: int, lines: int = 45) -> bytes:
    """Return a PDF of A4 pages of text, each with lines of its own."""
    content = [
        b"".join(
            text_at(50, 790 - 16 * line, f"Page {page + 1}, line {line + 1}: the goods arrived on time.")
            for line in range(lines)
        )
        for page in range(pages)
    ]
    kids = b" ".join(b"%d 0 R" % (4 + 2 * page) for page in range(pages))
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[%s]/Count %d>>" % (kids, pages),
        HELVETICA,
    ]
    for page in range(pages):
        objects += [
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents %d 0 R"
            b"/Resources<</Font<</F 3 0 R>>>>>>" % (5 + 2 * page),
            stream(content[page], packed=1),
        ]
    return pdf(objects)


def text_and_picture(text: str, picture_jpeg: bytes, size: tuple[int, int]) -> bytes:
    """Return a PDF page with a line of text, and a JPEG of (width, height) px below it, 400 points wide."""
    image = stream(
        picture_jpeg,
        b"/Type/XObject/Subtype/Image/Width %d/Height %d/ColorSpace/DeviceRGB/BitsPerComponent 8"
        b"/Filter/DCTDecode" % size,
    )
    height = 400 * size[1] / size[0]
    content = text_at(50, 800, text) + b"q 400 0 0 %g 50 %g cm /I Do Q" % (height, 780 - height)
    resources = FONT_RESOURCES + b"/XObject<</I 6 0 R>>"
    return page_of(content, box=(595, 842), resources=resources, objects=[image])
