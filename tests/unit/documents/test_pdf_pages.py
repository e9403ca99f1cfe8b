"""Rendering PDF pages: form fields, annotations, units, resolution and pages beyond the limits."""

import numpy as np
import pytest
from drawn_files import pdf
from drawn_pdfs import annotated_page, form_page, page_of, picture_page, text_at
from hypothesis import given
from hypothesis import strategies as st

from tritonocr_backend.documents.decode import open_document
from tritonocr_backend.documents.pages import Page, unreduced
from tritonocr_backend.documents.pdf_documents import PageShape
from tritonocr_backend.documents.pdf_pages import PdfOptions, largest_dpi

MAX_PIXELS = 4_000_000
CROSS = b"0 0 m 200 100 l 0 100 m 200 0 l 8 w S"
SHOWN = b"BT /F 40 Tf 10 30 Td (Signed) Tj ET"
DARK = 128


def read(data: bytes, index: int = 0, *, dpi: int = 0, max_pixels: int = MAX_PIXELS) -> Page:
    document = open_document(data, max_pixels, pdf_options=PdfOptions(dpi=dpi))
    try:
        return document.read_page(index, unreduced)
    finally:
        document.close()


def ink(page: Page) -> int:
    return int((page.pixels.min(axis=2) < DARK).sum())


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(form_page(b"/FT/Tx/V(Wilhelmina Oak)", appearance=SHOWN), id="text with an appearance"),
        pytest.param(
            form_page(b"/FT/Tx/V(Wilhelmina Oak)/DA(/F 20 Tf 0 g)"), id="text without an appearance"
        ),
        pytest.param(
            form_page(b"/FT/Tx/V(Wilhelmina)/DA(/F 20 Tf 0 g)", acroform=b"/NeedAppearances true"),
            id="text, the viewer has to make the appearance",
        ),
        pytest.param(
            form_page(b"/FT/Tx/Ff 4096/V(one\ntwo\nthree)/DA(/F 12 Tf 0 g)"), id="text of several lines"
        ),
        pytest.param(form_page(b"/FT/Ch/Ff 131072/Opt[(Spain)(Portugal)]/V(Portugal)"), id="combo box"),
        pytest.param(form_page(b"/FT/Ch/Opt[(Spain)(Portugal)]/V(Portugal)"), id="list box"),
        pytest.param(form_page(b"/FT/Btn/V/Yes", appearance=CROSS, state=b"Yes"), id="ticked check box"),
        pytest.param(form_page(b"/FT/Btn/Ff 49152/V/Yes", appearance=CROSS, state=b"Yes"), id="radio button"),
        pytest.param(form_page(b"/FT/Sig", appearance=SHOWN), id="signature seal"),
        pytest.param(annotated_page(b"/Subtype/FreeText/Contents(Signed)", SHOWN), id="free text"),
        pytest.param(annotated_page(b"/Subtype/Stamp", SHOWN), id="stamp"),
        pytest.param(annotated_page(b"/Subtype/Ink/InkList[[50 50 250 150]]", CROSS), id="ink"),
        pytest.param(
            annotated_page(b"/Subtype/Widget/FT/Tx/T(b)/V(Signed)", SHOWN), id="a field that no form lists"
        ),
    ],
)
def test_what_was_filled_in_is_drawn(data: bytes) -> None:
    page = read(data)
    assert ink(page) > 100
    inside = page.pixels[100:300, 100:500]  # [50 50 250 150] at 2 px per point, from the top
    assert ink(page) == int((inside.min(axis=2) < DARK).sum()), "nothing is drawn outside the field"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(
            form_page(b"/FT/Btn/V/Off", appearance=CROSS, state=b"Off").replace(b"/AS/Off", b"/AS/No"),
            id="unticked check box",
        ),
        pytest.param(
            form_page(b"/FT/Tx/V(x)", appearance=SHOWN).replace(b"/F 4/", b"/F 2/"), id="hidden field"
        ),
        pytest.param(annotated_page(b"/Subtype/Popup", SHOWN), id="pop-up note"),
    ],
)
def test_what_no_viewer_shows_is_not_drawn(data: bytes) -> None:
    assert ink(read(data)) == 0


@pytest.mark.parametrize("rotation", [b"", b"/Rotate 90"])
@pytest.mark.parametrize(
    "box",
    [
        pytest.param(b"[1000 1000 1200 1200]", id="beside the page: was told to crash the renderer"),
        pytest.param(b"[300 0 600 200]", id="begins where the page ends"),
        pytest.param(b"[-500 -500 900 900]", id="around the page"),
        pytest.param(b"[300 200 0 0]", id="corners in another order"),
        pytest.param(b"[0 0 0 0]", id="empty"),
    ],
)
def test_a_wrong_crop_box_shows_the_whole_page(box: bytes, rotation: bytes) -> None:
    content = text_at(50, 100, "Hello", size=20)
    plain = read(page_of(content, entries=rotation))
    page = read(page_of(content, entries=b"/CropBox%s%s" % (box, rotation)))
    assert page.size == plain.size
    assert ink(page) == ink(plain) > 0


class TestUserUnit:
    def test_a_page_of_inches_has_its_real_size(self) -> None:
        inches = page_of(text_at(1, 1, "A", size=1), box=(3, 2), entries=b"/UserUnit 72")
        assert read(inches).size == (288, 432)
        assert ink(read(inches)) > 1000

    @pytest.mark.parametrize("unit", [b"0", b"-1", b"(a)", b"null", b"100000"])
    def test_a_unit_that_is_none_is_ignored(self, unit: bytes) -> None:
        assert read(page_of(b"", entries=b"/UserUnit %s" % unit)).size == (400, 600)

    def test_the_resolution_of_pictures_counts_in_real_inches(self) -> None:
        page = picture_page((3, 2), (600, 400), (0, 0, 3, 2), entries=b"/UserUnit 72")
        assert read(page).size == (400, 600), "200 pixels per inch"


class TestResolution:
    @pytest.mark.parametrize(
        ("box", "picture_px", "place", "size"),
        [
            pytest.param((80, 225), (640, 1800), (0, 0, 80, 225), (1800, 640), id="a scan in a tiny page"),
            pytest.param((595, 842), (1654, 2339), (0, 0, 595, 842), (2340, 1655), id="A4 at 200 dpi"),
            pytest.param((595, 842), (600, 849), (0, 0, 595, 842), (1684, 1190), id="a coarse scan: 144 dpi"),
            pytest.param((595, 842), (600, 600), (0, 0, 50, 50), (1684, 1190), id="a logo does not count"),
            pytest.param((300, 200), (0x2000, 10), (0, 0, 300, 200), (2731, 4096), id="at most 4096 px"),
            pytest.param((300, 200), (900, 600), (-600, 0, 300, 200), (400, 600), id="not on the page"),
        ],
    )
    def test_follows_the_pictures(
        self,
        box: tuple[int, int],
        picture_px: tuple[int, int],
        place: tuple[float, float, float, float],
        size: tuple[int, int],
    ) -> None:
        found = read(picture_page(box, picture_px, place), max_pixels=20_000_000).size
        assert np.abs(np.subtract(found, size)).max() <= 1

    def test_follows_pictures_in_forms(self) -> None:
        data = picture_page((80, 225), (640, 1800), (0, 0, 1, 1))
        form = (
            b"<</Type/XObject/Subtype/Form/BBox[0 0 1 1]/Matrix[80 0 0 225 0 0]/Length 5"
            b"/Resources<</XObject<</J 6 0 R>>>>>>"
        )
        assert b"6 0 obj" in data
        nested = data.replace(b"/XObject<</I 6 0 R>>", b"/XObject<</I 7 0 R>>", 1)
        nested = nested.replace(
            b"\nxref", b"\n7 0 obj\n" + form + b"\nstream\n/J Do\nendstream\nendobj\nxref", 1
        )
        assert read(nested).size == (1800, 640)

    @pytest.mark.parametrize(("dpi", "size"), [(72, (200, 300)), (144, (400, 600)), (300, (834, 1250))])
    def test_can_be_chosen(self, dpi: int, size: tuple[int, int]) -> None:
        assert read(picture_page((300, 200), (900, 600), (0, 0, 300, 200)), dpi=dpi).size == size


class TestPagesBeyondTheLimits:
    def test_a_large_page_is_rendered_smaller_with_a_warning(self) -> None:
        data = pdf([(50, 40, 0), (5000, 5000, 0), (30, 20, 0)])
        assert read(data, 0).size == (80, 100)
        large = read(data, 1)
        assert large.size == (2000, 2000)
        assert [warning.code for warning in large.warnings] == ["rendered_smaller"]
        assert "rendered at 28.8 dpi" in large.warnings[0].message
        assert (read(data, 2).size, read(data, 2).warnings) == ((40, 60), ())

    @given(
        st.floats(0.01, 14400),
        st.floats(0.01, 14400),
        st.sampled_from([1.0, 72.0]),
        st.integers(1, 134_217_728),
    )
    def test_the_largest_resolution_holds_the_limit(
        self, width: float, height: float, unit: float, max_pixels: int
    ) -> None:
        dpi = largest_dpi(PageShape(width, height, unit, 0), max_pixels)
        sides = [side * unit / 72 * dpi + 1 for side in (width, height)]
        assert sides[0] * sides[1] <= max_pixels * (1 + 1e-6)
        assert max(sides) <= 1_000_000
