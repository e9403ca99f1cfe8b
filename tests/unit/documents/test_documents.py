"""Reading files: equal pictures in any encoding give equal pixels, and other data is rejected."""

import base64
import io
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pypdfium2
import pytest
from drawn_files import (
    bgr,
    bmp_header_alone,
    encode,
    noise,
    pdf,
    picture,
    png_header_alone,
    turned,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tritonocr_backend.core.errors import InvalidInputError
from tritonocr_backend.documents.decode import open_document
from tritonocr_backend.documents.jpeg_scans import lacks_scans
from tritonocr_backend.documents.pages import Page, ReductionOf, unreduced

MAX_PIXELS = 1_000_000
PICTURE = picture()
GREY = PICTURE.convert("L")


def smooth(size: tuple[int, int] = (150, 100)) -> PIL.Image.Image:
    """A picture in which a pixel resembles its neighbours, so that any fair reduction gives the same."""
    y, x = np.mgrid[: size[1], : size[0]]
    planes = [x * 200 / 150 + 20, y * 200 / 100 + 20, (x + y) * 200 / 250 + 20]
    return PIL.Image.fromarray(np.stack(planes, axis=2).astype(np.uint8))


def read_page(data: bytes, reduction_of: ReductionOf = unreduced) -> Page:
    return open_document(data, MAX_PIXELS).read_page(0, reduction_of)


def read(data: bytes, page: int = 0, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    document = open_document(data, max_pixels)
    try:
        return document.read_page(page, unreduced).pixels
    finally:
        document.close()


def refusal(data: bytes, page: int = 0, max_pixels: int = MAX_PIXELS) -> str:
    with pytest.raises(InvalidInputError) as error:
        read(data, page, max_pixels)
    return str(error.value)


def difference(page: NDArray[np.uint8], expected: NDArray[np.uint8]) -> int:
    assert page.dtype == np.uint8
    assert page.flags.c_contiguous
    assert page.shape == expected.shape
    return int(np.abs(page.astype(int) - expected).max())


def see_through() -> PIL.Image.Image:
    """The picture, its lower half transparent over hidden colours."""
    image = PICTURE.convert("RGBA")
    alpha = np.full((48, 64), 255, np.uint8)
    alpha[24:] = 0
    image.putalpha(PIL.Image.fromarray(alpha))
    return image


def on_white() -> NDArray[np.uint8]:
    pixels = bgr(PICTURE).copy()
    pixels[24:] = 255
    return pixels


def palette() -> PIL.Image.Image:
    return PICTURE.quantize(4)


def sixteen_bit() -> PIL.Image.Image:
    return PIL.Image.fromarray(np.asarray(GREY).astype(np.uint16) * 257)


LOSSY = 12  # grey levels

FORMATS = [
    pytest.param(encode(PICTURE, "PNG"), PICTURE, 0, id="PNG"),
    pytest.param(encode(PICTURE, "JPEG", quality=95, subsampling=0), PICTURE, LOSSY, id="JPEG"),
    pytest.param(
        encode(PICTURE, "JPEG", quality=95, subsampling=0, progressive=True),
        PICTURE,
        LOSSY,
        id="progressive JPEG",
    ),
    pytest.param(encode(GREY, "JPEG", quality=95, subsampling=0), GREY, LOSSY, id="grey JPEG"),
    pytest.param(encode(PICTURE, "WEBP", lossless=True), PICTURE, 0, id="lossless WebP"),
    pytest.param(encode(PICTURE, "BMP"), PICTURE, 0, id="BMP"),
    pytest.param(encode(PICTURE, "PPM"), PICTURE, 0, id="PPM"),
    pytest.param(encode(PICTURE, "JPEG2000", irreversible=False), PICTURE, 0, id="JPEG 2000"),
    pytest.param(encode(PICTURE, "AVIF", quality=95, subsampling="4:4:4"), PICTURE, LOSSY, id="AVIF"),
    pytest.param(encode(palette(), "GIF"), PICTURE, 0, id="GIF"),
    pytest.param(encode(PICTURE, "TIFF"), PICTURE, 0, id="TIFF, uncompressed"),
    pytest.param(encode(PICTURE, "TIFF", compression="tiff_lzw"), PICTURE, 0, id="TIFF, LZW"),
    pytest.param(
        encode(PICTURE, "TIFF", compression="jpeg", quality=95),
        PICTURE,
        LOSSY,
        id="TIFF, JPEG inside (YCbCr)",
    ),
    pytest.param(
        encode(PICTURE, "MPO", save_all=True, append_images=[noise()], quality=95, subsampling=0),
        PICTURE,
        LOSSY,
        id="MPO, first of two",
    ),
]

MODES = [
    pytest.param(encode(palette(), "PNG"), bgr(PICTURE), id="palette PNG"),
    pytest.param(encode(GREY, "PNG"), bgr(GREY), id="grey PNG"),
    pytest.param(encode(GREY.convert("LA"), "PNG"), bgr(GREY), id="grey and opaque alpha PNG"),
    pytest.param(encode(PICTURE.convert("1"), "PNG"), bgr(PICTURE.convert("1")), id="1-bit PNG"),
    pytest.param(encode(PICTURE.convert("1"), "PPM"), bgr(PICTURE.convert("1")), id="PBM"),
    pytest.param(
        encode(PICTURE.convert("1"), "TIFF", compression="group4"), bgr(PICTURE.convert("1")), id="fax TIFF"
    ),
    pytest.param(encode(see_through(), "PNG"), on_white(), id="RGBA PNG lies on white"),
    pytest.param(encode(see_through(), "WEBP", lossless=True), on_white(), id="RGBA WebP lies on white"),
    pytest.param(encode(see_through(), "TIFF"), on_white(), id="RGBA TIFF lies on white"),
    pytest.param(encode(see_through(), "JPEG2000"), on_white(), id="RGBA JPEG 2000 lies on white"),
    pytest.param(encode(sixteen_bit(), "PNG"), bgr(GREY), id="16-bit PNG keeps its high byte"),
    pytest.param(encode(sixteen_bit(), "TIFF"), bgr(GREY), id="16-bit TIFF keeps its high byte"),
    pytest.param(encode(PICTURE.convert("CMYK"), "TIFF"), bgr(PICTURE), id="CMYK TIFF"),
]


@pytest.mark.parametrize(("data", "expected", "tolerance"), FORMATS)
def test_every_format_reads_alike(data: bytes, expected: PIL.Image.Image, tolerance: int) -> None:
    assert difference(read(data), bgr(expected)) <= tolerance


@pytest.mark.parametrize(("data", "expected"), MODES)
def test_every_mode_reads_like_its_plain_twin(data: bytes, expected: NDArray[np.uint8]) -> None:
    assert difference(read(data), expected) == 0


def test_a_cmyk_jpeg_shows_its_colours_as_pillow_does() -> None:
    data = encode(PICTURE.convert("CMYK"), "JPEG", quality=95, subsampling=0)
    assert difference(read(data), bgr(PICTURE)) <= 2 * LOSSY


def test_a_transparent_colour_of_a_palette_lies_on_white() -> None:
    indices = np.asarray(palette())
    page = read(encode(palette(), "PNG", transparency=int(indices[0, 0])))
    assert (page[:16, :32] == 255).all()
    assert difference(page[16:], bgr(PICTURE)[16:]) == 0


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    ("image_format", "options", "tolerance"),
    [
        ("JPEG", {"quality": 95, "subsampling": 0}, LOSSY),
        ("PNG", {}, 0),
        ("TIFF", {}, 0),
        ("WEBP", {"lossless": True}, 0),
    ],
)
def test_exif_orientation_is_followed(
    image_format: str, options: dict[str, object], tolerance: int, orientation: int
) -> None:
    assert difference(read(turned(image_format, orientation, **options)), bgr(PICTURE)) <= tolerance


class TestReduction:
    """A page can be decoded at a reduced size."""

    @pytest.mark.parametrize(
        "data",
        [
            pytest.param(encode(smooth(), "JPEG", quality=95), id="JPEG, by its decoder"),
            pytest.param(encode(smooth().convert("L"), "JPEG", quality=95), id="grey JPEG"),
            pytest.param(encode(smooth().convert("CMYK"), "JPEG", quality=95), id="CMYK, by averaging"),
            pytest.param(encode(smooth(), "PNG"), id="PNG, by averaging"),
            pytest.param(encode(smooth(), "GIF"), id="what Pillow reads"),
            pytest.param(pdf([(75, 50, 0)]), id="PDF"),
        ],
    )
    @pytest.mark.parametrize("reduction", [2, 4, 8])
    def test_keeps_the_size_and_averages_the_pixels(self, data: bytes, reduction: int) -> None:
        whole, reduced = read_page(data), read_page(data, lambda size: reduction)
        assert (reduced.size, reduced.reduction) == (whole.size, reduction)
        height, width = (-(-side // reduction) for side in whole.size)
        assert reduced.pixels.shape == (height, width, 3)
        averaged = cv2.resize(whole.pixels, (width, height), interpolation=cv2.INTER_AREA)
        assert difference(reduced.pixels, averaged) <= LOSSY

    @given(st.integers(1, 70), st.integers(1, 70), st.sampled_from([1, 2, 4, 8]))
    def test_never_loses_the_last_pixel(self, height: int, width: int, reduction: int) -> None:
        page = read_page(encode(smooth((width, height)), "JPEG"), lambda size: reduction)
        assert page.size == (height, width)
        assert page.pixels.shape == (-(-height // reduction), -(-width // reduction), 3)

    @pytest.mark.parametrize("orientation", range(1, 9))
    @pytest.mark.parametrize("reduction", [1, 2])
    def test_a_turned_jpeg_is_upright(self, orientation: int, reduction: int) -> None:
        exif = PIL.Image.Exif()
        exif[0x0112] = orientation
        data = encode(smooth(), "JPEG", exif=exif)
        upright = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        page = read_page(data, lambda size: reduction)
        assert page.size == upright.shape[:2]
        expected = Page.reduced(upright, lambda size: reduction).pixels
        assert page.pixels.flags.c_contiguous
        assert difference(page.pixels, expected) <= (0 if reduction == 1 else LOSSY)


class TestSeveralPages:
    def test_a_tiff_has_pages(self) -> None:
        data = encode(PICTURE, "TIFF", save_all=True, append_images=[GREY.convert("RGB"), noise()])
        assert open_document(data, MAX_PIXELS).page_count == 3
        for index, image in enumerate((PICTURE, GREY, noise())):
            assert difference(read(data, index), bgr(image)) == 0

    def test_pages_may_be_read_in_any_order(self) -> None:
        data = encode(PICTURE, "TIFF", save_all=True, append_images=[noise()])
        document = open_document(data, MAX_PIXELS)
        assert difference(document.read_page(1, unreduced).pixels, bgr(noise())) == 0
        assert difference(document.read_page(0, unreduced).pixels, bgr(PICTURE)) == 0

    @pytest.mark.parametrize("image_format", ["GIF", "WEBP", "PNG", "AVIF"])
    def test_of_an_animation_the_first_frame_is_the_picture(self, image_format: str) -> None:
        options = {"WEBP": {"lossless": True}, "AVIF": {"subsampling": "4:4:4", "quality": 95}}
        first = palette().convert("RGB") if image_format != "GIF" else palette()
        other = PIL.Image.new("RGB", PICTURE.size, "black")
        data = encode(
            first, image_format, save_all=True, append_images=[other], **options.get(image_format, {})
        )
        assert open_document(data, MAX_PIXELS).page_count == 1
        assert difference(read(data), bgr(PICTURE)) <= (0 if image_format != "AVIF" else LOSSY)


class TestBase64:
    """KServe's JSON cannot carry bytes, so `file` may hold base64 text of them."""

    FILE = encode(PICTURE, "PNG")
    TEXT = base64.b64encode(FILE)

    @pytest.mark.parametrize(
        "data",
        [
            pytest.param(TEXT, id="plain"),
            pytest.param(b"data:image/png;base64," + TEXT, id="as a data URI"),
            pytest.param(b"data:application/octet-stream;base64," + TEXT, id="the kind is not believed"),
            pytest.param(base64.encodebytes(FILE), id="in lines, as e-mail has it"),
            pytest.param(b"\n" + TEXT + b"\r\n", id="with white space around"),
        ],
    )
    def test_is_undone(self, data: bytes) -> None:
        assert difference(read(data), bgr(PICTURE)) == 0

    def test_of_a_pdf_too(self) -> None:
        assert open_document(base64.b64encode(pdf([(50, 40, 0)] * 2)), MAX_PIXELS).page_count == 2

    @pytest.mark.parametrize(
        "data",
        [
            pytest.param(TEXT[:-2], id="cut within a group of four"),
            pytest.param(b"data:image/png;base64,", id="nothing after the comma"),
            pytest.param(base64.b64encode(b"not a picture, plain words"), id="text inside"),
            pytest.param(base64.b64encode(TEXT), id="twice encoded"),
        ],
    )
    def test_what_is_none_is_refused(self, data: bytes) -> None:
        assert "expected a JPEG, PNG" in refusal(data)


JPEG = encode(noise(), "JPEG", quality=90)
PROGRESSIVE = encode(noise(), "JPEG", quality=90, progressive=True)
THUMBNAIL = encode(PICTURE, "JPEG")


def jpeg_with_thumbnail() -> tuple[bytes, int]:
    """Return a JPEG with a smaller JPEG in its EXIF, and the end of the smaller one."""
    segment = b"Exif\0\0" + THUMBNAIL
    marker = b"\xff\xe1" + (len(segment) + 2).to_bytes(2, "big") + segment
    return JPEG[:2] + marker + JPEG[2:], 2 + len(marker)


class TestDamagedJpegs:
    """Scanners write JPEGs that lack their last bytes; half a page must not be returned as a whole page."""

    WHOLE = read(JPEG)

    @pytest.mark.parametrize(
        "data",
        [
            pytest.param(JPEG[:-1], id="last byte missing"),
            pytest.param(JPEG[:-2], id="end marker missing"),
            pytest.param(JPEG + bytes(5000), id="zeros after the end"),
            pytest.param(JPEG + b"maker's notes", id="text after the end"),
            pytest.param(JPEG[:-2] + b"\0\x11\x22" + JPEG[-2:], id="stray bytes before the end marker"),
            pytest.param(JPEG.replace(b"\xff\xda", b"\x07\x07\xff\xda", 1), id="stray bytes before the scan"),
            pytest.param(jpeg_with_thumbnail()[0], id="a thumbnail in its header"),
            pytest.param(jpeg_with_thumbnail()[0][:-1], id="a thumbnail, and the last byte missing"),
        ],
    )
    def test_what_has_all_its_pixels_is_read(self, data: bytes) -> None:
        assert difference(read(data), self.WHOLE) == 0

    @pytest.mark.parametrize(
        "data",
        [
            pytest.param(JPEG[: len(JPEG) // 2], id="half"),
            pytest.param(JPEG[: len(JPEG) * 9 // 10], id="nine tenths"),
            pytest.param(JPEG[:-20], id="the last pixels"),
            pytest.param(JPEG[: JPEG.index(b"\xff\xda") + 14], id="all pixels"),
            pytest.param(JPEG[: JPEG.index(b"\xff\0", len(JPEG) // 2) + 1], id="cut within an escaped byte"),
            pytest.param(JPEG[:100], id="within the header"),
            pytest.param(PROGRESSIVE[: len(PROGRESSIVE) // 2], id="half of a progressive one"),
            pytest.param(PROGRESSIVE[: PROGRESSIVE.rindex(b"\xff\xda")], id="a progressive one's last scan"),
            pytest.param(
                PROGRESSIVE[: PROGRESSIVE.index(b"\xff\xda", 300)],
                id="all but a progressive one's first scan",
            ),
            pytest.param(
                jpeg_with_thumbnail()[0][: jpeg_with_thumbnail()[1] + 800], id="cut just after its thumbnail"
            ),
        ],
    )
    def test_what_lacks_pixels_is_refused(self, data: bytes) -> None:
        assert "JPEG" in refusal(data)
        assert "truncated" in refusal(data)

    @given(after=st.binary(max_size=60))
    def test_scans_are_missing_whatever_bytes_follow_the_first(self, after: bytes) -> None:
        assert lacks_scans(PROGRESSIVE[:300] + after)

    @pytest.mark.parametrize("missing", [1, 2])
    def test_a_progressive_one_without_its_end_marker_is_read(self, missing: int) -> None:
        assert difference(read(PROGRESSIVE[:-missing]), read(PROGRESSIVE)) == 0

    @pytest.mark.parametrize("whole", [JPEG, PROGRESSIVE], ids=["baseline", "progressive"])
    @settings(max_examples=40, deadline=None)
    @given(fraction=st.floats(0.1, 1))
    def test_cut_anywhere_it_is_whole_or_refused(self, whole: bytes, fraction: float) -> None:
        try:
            page = read(whole[: int(fraction * len(whole))])
        except InvalidInputError:
            return
        assert difference(page, read(whole)) == 0

    def test_a_pdf_named_in_a_comment_does_not_make_a_pdf(self) -> None:
        assert (
            difference(read(encode(noise(), "JPEG", quality=90, comment=b"from %PDF-1.4")), self.WHOLE) == 0
        )


@pytest.mark.parametrize("image_format", ["PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM", "AVIF", "JPEG2000"])
def test_half_a_file_is_refused(image_format: str) -> None:
    data = encode(noise(), image_format)
    assert "corrupt or truncated" in refusal(data[: len(data) // 2]) or image_format == "AVIF"


class TestNoPicture:
    @pytest.mark.parametrize(
        ("data", "beginning"),
        [
            pytest.param(b"", "file: got 0 bytes", id="empty"),
            pytest.param(b"\0" * 100, "file: got 100 bytes starting with 00 00", id="zeros"),
            pytest.param(b"Dear all, see attached.", "file: got 23 bytes starting with 44 65", id="a letter"),
            pytest.param(b"<svg xmlns='x'/>", "file: got 16 bytes", id="SVG is not rendered"),
            pytest.param(b"\xff\xd8\xff", "file: the JPEG is corrupt", id="a JPEG's first bytes alone"),
            pytest.param(b"\x89PNG\r\n\x1a\n", "file: the PNG is corrupt", id="a PNG's first bytes alone"),
            pytest.param(b"RIFF\0\0\0\0WEBP", "file: the WebP is corrupt", id="a WebP's first bytes alone"),
            pytest.param(b"BM", "file: got 2 bytes", id="two letters"),
        ],
    )
    def test_is_refused_with_what_it_is(self, data: bytes, beginning: str) -> None:
        assert refusal(data).startswith(beginning)

    def test_the_sentence_says_what_is_read(self) -> None:
        assert refusal(b"?").endswith(
            "expected a JPEG, PNG, WebP, BMP, TIFF, GIF, PPM, JPEG 2000 or AVIF image or a PDF"
        )

    @pytest.mark.parametrize(
        "image_format",
        [
            pytest.param("EPS", id="Pillow would run Ghostscript on it"),
            pytest.param("ICO", id="not offered, so not parsed"),
            pytest.param("TGA", id="has no signature, so random bytes could pass for it"),
        ],
    )
    def test_formats_that_are_not_offered_are_not_opened(self, image_format: str) -> None:
        assert "expected a JPEG" in refusal(encode(PICTURE, image_format))

    SEEDS = (
        *(encode(PICTURE, kind) for kind in ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "AVIF")),
        encode(see_through(), "PNG"),
        encode(PICTURE, "TIFF", save_all=True, append_images=[PICTURE]),
        pdf([(50, 40, 0)]),
    )

    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.data_too_large])
    @given(
        seed=st.sampled_from(SEEDS),
        changes=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=5),
    )
    @pytest.mark.filterwarnings("ignore::UserWarning:PIL")
    def test_a_damaged_file_is_read_or_refused_and_nothing_else(
        self, seed: bytes, changes: list[tuple[int, int]]
    ) -> None:
        data = bytearray(seed)
        for position, value in changes:
            data[position % len(data)] = value
        try:
            page = read(bytes(data))
        except InvalidInputError:
            return
        assert page.dtype == np.uint8
        assert page.ndim == 3

    @pytest.mark.parametrize(
        "data",
        [
            pytest.param(
                encode(PICTURE, "TIFF", save_all=True, append_images=[PICTURE]).replace(
                    b"\0\1\4\0\1\0\0\0\x40\0\0\0", b"\0\7\4\0\1\0\0\0\x40\0\0\0"
                ),
                id="a TIFF page without a width",
            ),
            pytest.param(encode(PICTURE, "AVIF").replace(b"iloc", b"free"), id="an AVIF without its picture"),
        ],
    )
    def test_damage_that_pillow_answers_with_other_errors(self, data: bytes) -> None:
        assert "file: " in refusal(data)


class TestPixelLimit:
    """The header is sufficient: these files contain no pixels, so decoding would report a corrupt file."""

    @pytest.mark.parametrize(
        "data",
        [
            pytest.param(png_header_alone(30_000, 30_000), id="PNG"),
            pytest.param(bmp_header_alone(30_000, 30_000), id="BMP"),
            pytest.param(b"P6 30000 30000 255\n", id="PPM"),
            pytest.param(b"GIF89a\x30\x75\x30\x75\0\0\0,\0\0\0\0\x30\x75\x30\x75\0\x08", id="GIF"),
        ],
    )
    def test_is_checked_before_decoding(self, data: bytes) -> None:
        assert refusal(data) == "file: got 30000x30000 px = 900 megapixels, expected at most 1"

    def test_tells_small_numbers_apart(self) -> None:
        data = png_header_alone(1280, 960)
        assert refusal(data, max_pixels=700_000).endswith("px = 1.23 megapixels, expected at most 0.7")

    def test_holds_exactly_the_limit(self) -> None:
        data = encode(PICTURE, "PNG")
        assert read(data, max_pixels=64 * 48).shape == (48, 64, 3)
        assert "expected at most" in refusal(data, max_pixels=64 * 48 - 1)

    def test_is_checked_on_every_page(self) -> None:
        data = encode(PICTURE, "TIFF", save_all=True, append_images=[noise()])
        assert read(data, 0, max_pixels=64 * 48).shape == (48, 64, 3)
        assert refusal(data, 1, max_pixels=64 * 48).startswith("page 1 of the file: got 96x96 px")

    def test_a_side_that_no_decoder_takes_is_named(self) -> None:
        data = png_header_alone(1_000_001, 1)
        assert refusal(data, max_pixels=2_000_000) == (
            "file: got 1000001x1 px, expected sides of at most 1000000 px"
        )


def empty_pdf() -> bytes:
    file = io.BytesIO()
    pypdfium2.PdfDocument.new().save(file)
    return file.getvalue()


class TestPdf:
    RED = (0, 0, 255)

    def test_a_page_without_pictures_is_rendered_at_144_dpi(self) -> None:
        page = read(pdf([(50, 40, 0)]))
        assert page.shape == (80, 100, 3)
        assert page.flags.c_contiguous
        assert (page[79, 0] == self.RED).all(), "PDF counts from the lower left corner"
        assert (page[0, 0] == 255).all()

    @pytest.mark.parametrize(
        ("rotation", "shape", "corner"),
        [
            pytest.param(0, (80, 100), (79, 0), id="lower left"),
            pytest.param(90, (100, 80), (0, 0), id="turned clockwise: upper left"),
            pytest.param(180, (80, 100), (0, 99), id="upper right"),
            pytest.param(270, (100, 80), (99, 79), id="lower right"),
        ],
    )
    def test_a_rotated_page_is_rendered_as_it_is_shown(
        self, rotation: int, shape: tuple[int, int], corner: tuple[int, int]
    ) -> None:
        page = read(pdf([(50, 40, rotation)]))
        assert page.shape[:2] == shape
        assert (page[corner] == self.RED).all()

    def test_has_pages(self) -> None:
        data = pdf([(50, 40, 0), (30, 20, 0)])
        assert open_document(data, MAX_PIXELS).page_count == 2
        assert read(data, 1).shape == (40, 60, 3)

    def test_may_have_a_page_smaller_than_a_pixel(self) -> None:
        assert read(pdf([(1, 1, 0)])).shape == (2, 2, 3)

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            pytest.param(b"%PDF-1.4\nrubbish", "file: the PDF is corrupt or has no pages", id="rubbish"),
            pytest.param(empty_pdf(), "file: the PDF is corrupt or has no pages", id="no pages"),
        ],
    )
    def test_what_cannot_be_rendered_is_refused(self, data: bytes, message: str) -> None:
        assert refusal(data).startswith(message)

    def test_one_behind_a_password_is_refused(self, corpus: Path) -> None:
        data = (corpus / "edge" / "password_protected.pdf").read_bytes()
        assert refusal(data) == "file: the PDF is protected by a password, expected a PDF without a password"
