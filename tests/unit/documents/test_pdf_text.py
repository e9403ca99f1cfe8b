"""The text layer of PDF pages: its text, its positions, and whether it is sound."""

from itertools import pairwise

import numpy as np
import pytest
from drawn_pdfs import annotated_page, form_page, page_of, picture_page, text_at

from tritonocr_backend.documents.decode import open_document
from tritonocr_backend.documents.pages import unreduced
from tritonocr_backend.documents.text_layer import TextLayer

SHOWN = b"BT /F 12 Tf 10 30 Td (Signed by Ola) Tj ET"
INVISIBLE = 3


def layer_of(data: bytes) -> TextLayer:
    document = open_document(data, 4_000_000)
    try:
        assert document.read_text is not None
        return document.read_text(0)
    finally:
        document.close()


def texts(data: bytes) -> list[str]:
    return [line.text for line in layer_of(data).lines]


@pytest.mark.parametrize(
    "entries", [b"", b"/Rotate 90", b"/Rotate 180", b"/Rotate 270", b"/CropBox[20 10 290 190]"]
)
@pytest.mark.parametrize("unit", [b"", b"/UserUnit 2"])
def test_lines_stand_where_the_rendered_page_shows_them(entries: bytes, unit: bytes) -> None:
    data = page_of(
        text_at(40, 120, "Invoice 4711") + text_at(40, 60, "Total: 12.50 EUR"), entries=entries + unit
    )
    document = open_document(data, 4_000_000)
    page, layer = document.read_page(0, unreduced), document.read_text(0)  # type: ignore[misc]
    document.close()
    assert layer.size == page.size
    assert sorted(line.text for line in layer.lines) == ["Invoice 4711", "Total: 12.50 EUR"]
    assert layer.is_sound
    ink = page.pixels.min(axis=2) < 128
    covered = np.zeros_like(ink)
    for line in layer.lines:
        (x0, y0), (x1, y1) = line.quad.min(axis=0), line.quad.max(axis=0)
        assert ink[y0:y1, x0:x1].any()
        covered[max(y0 - 2, 0) : y1 + 2, max(x0 - 2, 0) : x1 + 2] = True
    assert not (ink & ~covered).any(), "every dark pixel is in the box of a line"


def test_a_tilted_line_has_a_tilted_quad() -> None:
    content = b"q 0.9848 0.1736 -0.1736 0.9848 0 0 cm " + text_at(50, 50, "A rising line of text") + b"Q"
    (line,) = layer_of(page_of(content)).lines
    (x0, y0), (x1, y1) = line.quad[0], line.quad[1]
    assert np.degrees(np.arctan2(y0 - y1, x1 - x0)) == pytest.approx(10, abs=1)


def test_words_have_their_places() -> None:
    (line,) = layer_of(page_of(text_at(40, 120, "Grand total 12.50"))).lines
    assert [word.text for word in line.words] == ["Grand", "total", "12.50"]
    edges = [(word.quad[0][0], word.quad[1][0]) for word in line.words]
    assert all(first[1] < second[0] for first, second in pairwise(edges))


def test_columns_beside_each_other_are_lines_of_their_own() -> None:
    data = page_of(text_at(20, 120, "left column") + text_at(180, 120, "right column"))
    assert texts(data) == ["left column", "right column"]


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(["the exam-", "ple of a line"], id="a divided word"),
        pytest.param(["re-", "ply"], id="lines of one word, which overlap"),
        pytest.param(["well-known", "a - b", "-5"], id="hyphens within a line and before a word"),
        pytest.param(["one-", "two-", "three-"], id="each line ends with a hyphen"),
    ],
)
def test_hyphens_are_kept_and_end_lines_only_where_a_line_ends(lines: list[str]) -> None:
    layer = layer_of(page_of(b"".join(text_at(40, 160 - 14 * row, line) for row, line in enumerate(lines))))
    assert [line.text for line in layer.lines] == lines
    assert layer.is_sound


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(form_page(b"/FT/Tx/V(x)", appearance=SHOWN), "Signed by Ola", id="form field"),
        pytest.param(form_page(b"/FT/Tx/V(Wilhelmina)/DA(/F 20 Tf 0 g)"), "Wilhelmina", id="no appearance"),
        pytest.param(form_page(b"/FT/Sig", appearance=SHOWN), "Signed by Ola", id="signature"),
        pytest.param(annotated_page(b"/Subtype/FreeText", SHOWN), "Signed by Ola", id="free text"),
        pytest.param(annotated_page(b"/Subtype/Stamp", SHOWN), "Signed by Ola", id="stamp"),
    ],
)
def test_forms_and_annotations_count(data: bytes, expected: str) -> None:
    assert texts(data) == [expected]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(page_of(b""), id="no text"),
        pytest.param(page_of(text_at(40, 120, "hidden", mode=INVISIBLE)), id="hidden text of an earlier OCR"),
        pytest.param(page_of(text_at(400, 120, "outside")), id="text outside the page"),
        pytest.param(
            page_of(text_at(40, 120, "in") + text_at(400, 120, "mostly outside")), id="mostly outside"
        ),
        pytest.param(
            page_of(
                b"BT /F 12 Tf 40 120 Td <808182> Tj ET",
                resources=b"/Font<</F 6 0 R>>",
                objects=[
                    b"<</Type/Font/Subtype/Type3/FontBBox[0 0 9 9]/FontMatrix[.1 0 0 .1 0 0]/FirstChar 128"
                    b"/LastChar 130/Widths[9 9 9]/CharProcs<</a 7 0 R>>"
                    b"/Encoding<</Differences[128/a/a/a]>>/Resources<<>>>>",
                    b"<</Length 22>>\nstream\n9 0 d0 0 0 5 5 re f   \nendstream",
                ],
            ),
            id="a font without a Unicode map",
        ),
    ],
)
def test_a_layer_that_is_not_what_a_reader_sees_is_unsound(data: bytes) -> None:
    assert not layer_of(data).is_sound


def test_hidden_text_is_there_if_there_is_nothing_else() -> None:
    data = page_of(text_at(40, 120, "hidden", mode=INVISIBLE))
    assert texts(data) == ["hidden"]
    assert texts(page_of(text_at(40, 120, "hidden", mode=INVISIBLE) + text_at(40, 60, "shown"))) == ["shown"]


class TestRegions:
    def test_a_picture_is_a_region(self) -> None:
        layer = layer_of(picture_page((300, 200), (150, 100), (30, 40, 150, 100)))
        assert layer.regions.tolist() == [pytest.approx([60, 120, 360, 320], abs=1)]

    @pytest.mark.parametrize(
        ("picture_px", "place"),
        [
            pytest.param((10, 10), (30, 40, 150, 100), id="a picture of too few pixels for text"),
            pytest.param((100, 100), (30, 40, 5, 5), id="an icon"),
            pytest.param((100, 100), (400, 40, 50, 50), id="beside the page"),
        ],
    )
    def test_what_holds_no_text_is_none(
        self, picture_px: tuple[int, int], place: tuple[float, float, float, float]
    ) -> None:
        assert not len(layer_of(picture_page((300, 200), picture_px, place)).regions)

    def test_characters_drawn_as_paths_are_a_region(self) -> None:
        heading = text_at(40, 150, "Heading")
        corners = ((0, 0), (3, 12), (5, 6), (7, 0), (5, 3), (3, 2), (1, 1))
        outlines = b""
        for left in range(20, 260, 8):
            (x, y), *others = ((left + dx, 100 + dy) for dx, dy in corners)
            outlines += b"%d %d m " % (x, y) + b" ".join(b"%d %d l" % point for point in others) + b" h f\n"
        assert len(layer_of(page_of(heading)).regions) == 0
        assert len(layer_of(page_of(heading + outlines)).regions) == 1
