"""PDFs that the tests draw themselves: forms, annotations, pictures and text layers."""

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
