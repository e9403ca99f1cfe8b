"""Images in rare pixel layouts read like the same picture in a common layout."""

import base64
import struct
import zlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import PIL.Image
import pytest
from drawn_files import TiffPage, bgr, encode, picture, rgb_tiff_page, tiff
from numpy.typing import NDArray

from tritonocr_backend.core.errors import InvalidInputError
from tritonocr_backend.documents.decode import open_document
from tritonocr_backend.documents.frames import samples_to_bgr
from tritonocr_backend.documents.orientation import UPRIGHT
from tritonocr_backend.documents.pages import Page, unreduced
from tritonocr_backend.documents.png_repair import repair_png

RGB: NDArray[Any] = np.asarray(picture()).astype(np.int64)
GREY: NDArray[Any] = np.asarray(picture().convert("L")).astype(np.int64)
OPAQUE = np.full_like(GREY, 255)
GREY_BGR = np.repeat(GREY[:, :, None], 3, axis=2)
EXTRA_SAMPLES, SAMPLE_FORMAT, ORIENTATION = 338, 339, 274
STRIP_OFFSETS, STRIP_BYTES, PLANAR, COLOUR_MAP, COMPRESSION, SUBSAMPLING = 273, 279, 284, 320, 259, 530
EXTRA_SAMPLES_TAG = {EXTRA_SAMPLES: (2,)}
MIN_IS_WHITE, MIN_IS_BLACK, RGB_COLOURS, PALETTE, CMYK, YCBCR = 0, 1, 2, 3, 5, 6
SIGNED, FLOAT = 2, 3


def read(data: bytes, page: int = 0) -> Page:
    document = open_document(data, 1_000_000)
    try:
        return document.read_page(page, unreduced)
    finally:
        document.close()


def packed(samples: NDArray[Any], bits: int) -> bytes:
    """Return rows of samples of so many bits, each row padded to whole bytes."""
    rows = samples.reshape(len(samples), -1)
    as_bits = (rows[:, :, None] >> np.arange(bits - 1, -1, -1)) & 1
    return np.packbits(as_bits.reshape(len(rows), -1).astype(np.uint8), axis=1).tobytes()


def grey(
    bits: int, dtype: str = "", photometric: int = MIN_IS_BLACK, tags: Mapping[int, tuple[int, ...]] = {}
) -> bytes:
    """Return the grey picture as a TIFF of so many bits per sample."""
    values = (255 - GREY if photometric == MIN_IS_WHITE else GREY) * (2**bits - 1) // 255
    strip = values.astype(dtype).tobytes() if dtype else packed(values, bits)
    return tiff(TiffPage(strip, 64, 48, (bits,), photometric, tags))


def colours(samples: NDArray[Any], dtype: str, bits: int, photometric: int, **tags: Any) -> bytes:
    page = TiffPage(
        samples.astype(dtype).tobytes(), 64, 48, (bits,) * samples.shape[2], photometric, tags.get("tags", {})
    )
    return tiff(page)


def separate_planes(
    samples: NDArray[Any], dtype: str, photometric: int, tags: Mapping[int, tuple[int, ...]] = {}
) -> bytes:
    """Return a TIFF with one plane per sample instead of one pixel after the other."""
    planes = samples.transpose(2, 0, 1).astype(dtype)
    page = TiffPage(planes.tobytes(), 64, 48, (planes.itemsize * 8,) * len(planes), photometric)
    strips = tuple(8 + planes[0].nbytes * plane for plane in range(len(planes)))
    more = {STRIP_OFFSETS: strips, STRIP_BYTES: (planes[0].nbytes,) * len(planes), PLANAR: (2,)}
    return tiff(replace(page, tags={**more, **tags}))


def palette_tiff(bits: int, scale: int, tags: Mapping[int, tuple[int, ...]] = {}) -> bytes:
    """Return the picture as a TIFF with a colour map of the values 0 to 255, each multiplied by `scale`."""
    colours, indices = np.unique(RGB.reshape(-1, 3), axis=0, return_inverse=True)
    colour_map = np.zeros((3, 2**bits), np.int64)
    colour_map[:, : len(colours)] = colours.T * scale
    strip = packed(indices.reshape(48, 64), bits)
    more = {COLOUR_MAP: tuple(colour_map.ravel().tolist()), **tags}
    return tiff(TiffPage(strip, 64, 48, (bits,), PALETTE, more))


def ycbcr_tiff(step: int = 1, tags: Mapping[int, tuple[int, ...]] = {}) -> bytes:
    """Return the picture in YCbCr; blocks of `step` x `step` pixels share their colours (TIFF 6.0, 21)."""
    samples = np.asarray(picture().convert("YCbCr"))
    light = samples[:, :, 0].reshape(48 // step, step, 64 // step, step).transpose(0, 2, 1, 3)
    units = np.concatenate([light.reshape(48 // step, 64 // step, -1), samples[::step, ::step, 1:]], axis=2)
    more = {SUBSAMPLING: (step, step), **tags}
    return tiff(TiffPage(units.tobytes(), 64, 48, (8,) * 3, YCBCR, more))


def with_alpha(samples: NDArray[Any], alpha: int) -> NDArray[Any]:
    return np.dstack([samples, np.full_like(GREY, alpha)])


@pytest.mark.parametrize(
    ("data", "expected", "tolerance"),
    [
        pytest.param(grey(4), GREY_BGR, 15, id="4 bits"),
        pytest.param(grey(4, photometric=MIN_IS_WHITE), GREY_BGR, 15, id="4 bits, 0 is white"),
        pytest.param(grey(8, "u1", MIN_IS_WHITE), GREY_BGR, 0, id="8 bits, 0 is white"),
        pytest.param(grey(10), GREY_BGR, 1, id="10 bits: Pillow has no such mode"),
        pytest.param(grey(10, photometric=MIN_IS_WHITE), GREY_BGR, 1, id="10 bits, 0 is white"),
        pytest.param(grey(12), GREY_BGR, 1, id="12 bits: Pillow reads them 16 times too dark"),
        pytest.param(grey(12, photometric=MIN_IS_WHITE), GREY_BGR, 1, id="12 bits, 0 is white"),
        pytest.param(grey(14), GREY_BGR, 1, id="14 bits"),
        pytest.param(grey(16, "<u2"), GREY_BGR, 0, id="16 bits"),
        pytest.param(grey(16, "<u2", MIN_IS_WHITE), GREY_BGR, 0, id="16 bits, 0 is white: read inverted"),
        pytest.param(colours(RGB * 257, "<u2", 16, RGB_COLOURS), bgr(picture()), 0, id="16 bits RGB"),
        pytest.param(
            colours(with_alpha(GREY, 255), "u1", 8, MIN_IS_BLACK, tags={EXTRA_SAMPLES: (0,)}),
            GREY_BGR,
            0,
            id="grey with an extra sample of no meaning: was called corrupt",
        ),
        pytest.param(
            colours(with_alpha(GREY, 0), "u1", 8, MIN_IS_BLACK, tags={EXTRA_SAMPLES: (0,)}),
            GREY_BGR,
            0,
            id="an extra sample of no meaning is no transparency",
        ),
        pytest.param(
            colours(with_alpha(GREY * 257, 65535), "<u2", 16, MIN_IS_BLACK, tags={EXTRA_SAMPLES: (2,)}),
            GREY_BGR,
            0,
            id="16 bits grey with alpha: was called corrupt",
        ),
        pytest.param(
            colours(with_alpha(RGB, 0), "u1", 8, RGB_COLOURS, tags={EXTRA_SAMPLES: (0,)}),
            bgr(picture()),
            0,
            id="RGB with an extra sample of no meaning",
        ),
        pytest.param(
            colours(np.asarray(picture().convert("CMYK")), "u1", 8, CMYK), bgr(picture()), 0, id="CMYK"
        ),
        pytest.param(
            colours(RGB / 255, "<f4", 32, RGB_COLOURS, tags={SAMPLE_FORMAT: (FLOAT,) * 3}),
            bgr(picture()),
            0,
            id="floats from 0 to 1, RGB",
        ),
        pytest.param(
            colours(GREY[:, :, None] / 255, "<f8", 64, MIN_IS_BLACK, tags={SAMPLE_FORMAT: (FLOAT,)}),
            GREY_BGR,
            0,
            id="doubles from 0 to 1",
        ),
        pytest.param(
            colours(GREY[:, :, None], "<f4", 32, MIN_IS_BLACK, tags={SAMPLE_FORMAT: (FLOAT,)}),
            GREY_BGR,
            0,
            id="floats from 0 to 255",
        ),
        pytest.param(
            separate_planes(RGB * 257, "<u2", RGB_COLOURS), bgr(picture()), 0, id="16 bits in separate planes"
        ),
        pytest.param(
            separate_planes(with_alpha(GREY, 255), "u1", MIN_IS_BLACK, EXTRA_SAMPLES_TAG),
            GREY_BGR,
            0,
            id="grey and an extra sample in separate planes: a compressed one was white",
        ),
        pytest.param(palette_tiff(8, 257), bgr(picture()), 0, id="a palette"),
        pytest.param(palette_tiff(8, 1), bgr(picture()), 0, id="a colour map of 8 bits: was black"),
        pytest.param(palette_tiff(4, 257), bgr(picture()), 0, id="a palette of 4 bits"),
        pytest.param(palette_tiff(4, 1), bgr(picture()), 0, id="a palette of 4 bits, a map of 8"),
        pytest.param(palette_tiff(2, 1), bgr(picture()), 0, id="a palette of 2 bits, a map of 8"),
        pytest.param(ycbcr_tiff(), bgr(picture()), 4, id="uncompressed YCbCr: was called truncated"),
        pytest.param(ycbcr_tiff(2), bgr(picture()), 4, id="uncompressed YCbCr with shared colours"),
        pytest.param(
            tiff(rgb_tiff_page(tag_274=(3,))), bgr(picture())[::-1, ::-1], 0, id="the orientation is applied"
        ),
    ],
)
def test_a_tiff_of_this_layout_reads_like_the_plain_picture(
    data: bytes, expected: NDArray[Any], tolerance: int
) -> None:
    pixels = read(data).pixels
    assert (pixels.dtype, pixels.flags.c_contiguous) == (np.uint8, True)
    assert np.abs(pixels.astype(int) - expected).max() <= tolerance


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("bits", [12, 16])
def test_a_rare_layout_is_turned_upright(bits: int, orientation: int) -> None:
    turned = read(grey(bits, "<u2" if bits == 16 else "", tags={ORIENTATION: (orientation,)}))
    expected = UPRIGHT[orientation](GREY_BGR)
    assert turned.size == expected.shape[:2]
    assert np.abs(turned.pixels.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_grey_with_an_extra_sample_is_turned_upright(orientation: int) -> None:
    tags = {EXTRA_SAMPLES: (0,), ORIENTATION: (orientation,)}
    turned = read(colours(with_alpha(GREY, 255), "u1", 8, MIN_IS_BLACK, tags=tags))
    assert np.array_equal(turned.pixels, UPRIGHT[orientation](GREY_BGR))


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_a_layout_for_opencv_is_turned_upright(orientation: int) -> None:
    tags = {ORIENTATION: (orientation,)}
    for data in (
        separate_planes(RGB * 257, "<u2", RGB_COLOURS, tags),
        palette_tiff(8, 1, tags),
        ycbcr_tiff(tags=tags),
    ):
        expected = UPRIGHT[orientation](bgr(picture())).astype(int)
        assert np.abs(read(data).pixels - expected).max() <= 4


@pytest.mark.parametrize(
    "compression",
    [
        pytest.param(34712, id="JPEG 2000: was black"),
        pytest.param(34933, id="PNG: was black"),
        pytest.param(50002, id="JPEG XL: was black"),
        pytest.param(50001, id="WebP: was called corrupt"),
        pytest.param(65000, id="unknown"),
    ],
)
@pytest.mark.parametrize("bits", [8, 12])
def test_a_compression_without_a_decoder_is_refused(compression: int, bits: int) -> None:
    data = grey(bits, "u1" if bits == 8 else "", tags={COMPRESSION: (compression,)})
    with pytest.raises(InvalidInputError, match=f"has compression {compression}, which is not supported"):
        read(data)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(separate_planes(with_alpha(255 - GREY, 0), "u1", MIN_IS_WHITE), id="0 is white"),
        pytest.param(
            separate_planes(RGB / 255, "<f4", RGB_COLOURS, {SAMPLE_FORMAT: (FLOAT,) * 3}), id="floats"
        ),
    ],
)
def test_separate_planes_that_opencv_misreads_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidInputError, match="page 0 of the TIFF has an unsupported pixel layout"):
        read(data)


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        pytest.param(np.array([[-100, 0, 100]], np.int16), [0, 128, 255], id="signed: lowest is black"),
        pytest.param(np.array([[0, 300, 65535]], np.int32), [0, 1, 255], id="16 bits in 32"),
        pytest.param(np.array([[0, 100, 200]], np.uint32), [0, 100, 200], id="8 bits in 32"),
        pytest.param(np.array([[0, 2**31, 2**32 - 1]], np.uint32), [0, 128, 255], id="full 32 bits"),
        pytest.param(np.array([[np.nan, 0.0, 1.0]], np.float32), [0, 0, 255], id="not a number is black"),
        pytest.param(np.array([[-np.inf, 5.0, np.inf]], np.float32), [0, 5, 255], id="infinite"),
        pytest.param(np.array([[7.0, 7.0, 7.0]], np.float64), [7, 7, 7], id="a flat page"),
    ],
)
def test_samples_without_a_range_of_their_own_are_scaled(samples: NDArray[Any], expected: list[int]) -> None:
    pixels = samples_to_bgr(samples)
    assert pixels.shape == (1, 3, 3)
    assert pixels[0, :, 0].tolist() == expected


def test_a_layout_that_nothing_decodes_is_not_called_corrupt() -> None:
    halves = colours(GREY[:, :, None] / 255, "<f2", 16, MIN_IS_BLACK, tags={SAMPLE_FORMAT: (FLOAT,)})
    with pytest.raises(InvalidInputError, match="unsupported pixel layout"):
        read(halves)


def test_large_samples_count_towards_the_pixel_limit() -> None:
    wide = tiff(TiffPage(b"", 1000, 1000, (64,) * 3, RGB_COLOURS, {SAMPLE_FORMAT: (FLOAT,) * 3}))
    with pytest.raises(InvalidInputError, match=r"expected at most 0\.333"):
        read(wide)


class TestTiffPages:
    @pytest.mark.parametrize(
        "last_link",
        [pytest.param(10**6, id="leads out of the file"), pytest.param(None, id="is missing")],
    )
    def test_pages_before_a_broken_link_count_with_a_warning(self, last_link: int | None) -> None:
        data = tiff(rgb_tiff_page(), rgb_tiff_page(), last_link=last_link)
        assert open_document(data, 10**6).page_count == 2
        first, last = read(data, 0), read(data, 1)
        assert first.warnings == ()
        assert [warning.code for warning in last.warnings] == ["pages_missing"]
        assert np.array_equal(last.pixels, bgr(picture()))

    @pytest.mark.parametrize(
        ("tags", "page_count"),
        [
            pytest.param({"tag_254": (1,)}, 1, id="a reduced copy"),
            pytest.param({"tag_254": (4,)}, 1, id="a transparency mask"),
            pytest.param({"tag_254": (5,)}, 1, id="a reduced transparency mask"),
            pytest.param({"tag_255": (2,)}, 1, id="a reduced copy, by the old tag"),
            pytest.param({"tag_254": (2,)}, 2, id="one page of several"),
            pytest.param({"tag_254": (0,)}, 2, id="no kind"),
        ],
    )
    def test_reduced_copies_and_masks_are_no_pages(
        self, tags: dict[str, tuple[int, ...]], page_count: int
    ) -> None:
        data = tiff(rgb_tiff_page(**tags), rgb_tiff_page())
        assert open_document(data, 10**6).page_count == page_count
        assert np.array_equal(read(data).pixels, bgr(picture()))

    def test_a_file_of_reduced_copies_alone_has_pages(self) -> None:
        assert open_document(tiff(*[rgb_tiff_page(tag_254=(1,))] * 2), 10**6).page_count == 2

    @pytest.mark.parametrize("data", [b"II*\0", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08"])
    def test_a_tiff_without_a_directory_is_corrupt(self, data: bytes) -> None:
        with pytest.raises(InvalidInputError, match="the TIFF is corrupt or truncated"):
            read(data)


def bmp(alpha: NDArray[Any]) -> bytes:
    """Return the picture as a 32-bit BMP with an alpha channel (BITMAPV4HEADER)."""
    rows = np.dstack([RGB[:, :, ::-1], alpha]).astype(np.uint8)[::-1].tobytes()
    masks = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    info = struct.pack("<IiiHHIIiiII", 108, 64, 48, 1, 32, 3, len(rows), 2835, 2835, 0, 0)
    head = info + masks + bytes(108 - len(info) - len(masks))
    return b"BM" + struct.pack("<IHHI", 14 + len(head) + len(rows), 0, 0, 14 + len(head)) + head + rows


def bmp_565(samples: NDArray[Any]) -> bytes:
    """Return the picture as a BMP of 5, 6 and 5 bits per colour (BITMAPV4HEADER)."""
    red, green, blue = (samples[:, :, colour].astype("<u2") for colour in range(3))
    rows = ((red >> 3) << 11 | (green >> 2) << 5 | blue >> 3)[::-1].tobytes()
    masks = struct.pack("<4I", 0xF800, 0x7E0, 0x1F, 0)
    info = struct.pack("<IiiHHIIiiII", 108, 64, 48, 1, 16, 3, len(rows), 2835, 2835, 0, 0)
    head = info + masks + bytes(108 - len(info) - len(masks))
    return b"BM" + struct.pack("<IHHI", 14 + len(head) + len(rows), 0, 0, 14 + len(head)) + head + rows


class TestBmp:
    def test_16_bits_with_a_long_header_are_read(self) -> None:
        pixels = read(bmp_565(RGB)).pixels.astype(int)
        assert np.abs(pixels - bgr(picture())).max() <= 8

    def test_a_short_file_of_16_bits_is_refused(self) -> None:
        with pytest.raises(InvalidInputError, match="the BMP is corrupt or truncated"):
            read(bmp_565(RGB)[:-2000])

    def test_a_layout_that_nothing_decodes_is_not_called_another_format(self) -> None:
        data = bmp_565(RGB).replace(struct.pack("<3I", 0xF800, 0x7E0, 0x1F), struct.pack("<3I", 1, 2, 4))
        with pytest.raises(InvalidInputError, match="the BMP is corrupt, truncated or has an unsupported"):
            read(data)

    def test_an_alpha_channel_of_zeros_is_opaque(self) -> None:
        assert np.array_equal(read(bmp(OPAQUE * 0)).pixels, bgr(picture()))

    def test_a_real_alpha_channel_lies_on_white(self) -> None:
        alpha = OPAQUE.copy()
        alpha[24:] = 0
        pixels = read(bmp(alpha)).pixels
        assert (pixels[24:] == 255).all()
        assert np.array_equal(pixels[:24], bgr(picture())[:24])


@pytest.mark.parametrize("maxval", [1, 15, 31, 100, 254, 255, 256, 1023, 4095, 65535])
@pytest.mark.parametrize("kind", ["P2", "P5", "P3", "P6"])
def test_a_portable_map_of_any_maxval_is_scaled(kind: str, maxval: int) -> None:
    samples = (GREY if kind in ("P2", "P5") else RGB) * maxval // 255
    if kind in ("P2", "P3"):
        body = " ".join(map(str, samples.ravel())).encode()
    else:
        body = samples.astype("u1" if maxval < 256 else ">u2").tobytes()
    expected = GREY_BGR if kind in ("P2", "P5") else bgr(picture())
    pixels = read(f"{kind}\n64 48\n{maxval}\n".encode() + body).pixels
    assert np.abs(pixels.astype(int) - expected).max() <= 255 / maxval + 1


def chunk(kind: bytes, content: bytes, *, checksum_error: int = 0) -> bytes:
    checksum = zlib.crc32(kind + content) ^ checksum_error
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


PNG = encode(picture(), "PNG")
HEADER_END = 33  # bytes of the signature and the IHDR chunk
IDAT = PNG.index(b"IDAT")


class TestPng:
    @pytest.mark.parametrize(
        "data",
        [
            pytest.param(
                PNG[:HEADER_END] + chunk(b"tEXt", b"a\0b", checksum_error=1) + PNG[HEADER_END:],
                id="a text with a wrong checksum before the pixels",
            ),
            pytest.param(
                PNG[:-12] + chunk(b"tIME", bytes(7), checksum_error=1) + PNG[-12:],
                id="a time with a wrong checksum behind the pixels",
            ),
            pytest.param(
                PNG[:HEADER_END] + chunk(b"eXIf", b"Exif", checksum_error=1) + PNG[HEADER_END:],
                id="an EXIF block with a wrong checksum",
            ),
            pytest.param(PNG[:-12], id="no end chunk"),
            pytest.param(PNG[:-12] + chunk(b"tEXt", b"a\0b", checksum_error=1), id="both"),
        ],
    )
    def test_damage_beside_the_pixels_does_not_matter(self, data: bytes) -> None:
        assert np.array_equal(read(data).pixels, bgr(picture()))

    @pytest.mark.parametrize(
        "data",
        [
            pytest.param(PNG[: IDAT + 20], id="ends inside the pixels"),
            pytest.param(PNG[:-16] + b"\0\0\0\0" + PNG[-12:], id="the pixels' own checksum is wrong"),
            pytest.param(PNG[:HEADER_END], id="no pixels"),
            pytest.param(PNG[:HEADER_END] + PNG[-12:], id="no pixels, but an end"),
        ],
    )
    def test_damage_to_the_pixels_is_refused(self, data: bytes) -> None:
        with pytest.raises(InvalidInputError, match="the PNG is corrupt or truncated"):
            read(data)

    def test_a_sound_file_is_not_copied(self) -> None:
        assert repair_png(PNG) is PNG


def exif_block(content: bytes) -> bytes:
    return b"\xff\xe1" + (len(content) + 8).to_bytes(2, "big") + b"Exif\0\0" + content


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize(
    "exif",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"rubbish", id="no TIFF header"),
        pytest.param(b"II*\0\xff\xff\xff\x7f", id="leads out of the block"),
        pytest.param(b"II*\0\x08\0\0\0\xff\xff", id="65535 entries, none there"),
        pytest.param(b"II*\0\x08\0\0\0\1\0\x12\1\2\0\1\0\0\0\x63\0\0\0\0\0\0\0", id="orientation is text"),
        pytest.param(b"II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\x63\0\0\0\0\0\0\0", id="orientation 99"),
    ],
)
@pytest.mark.parametrize("density_unit", [0, 1, 2])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_jpeg_with_a_damaged_exif_block_is_read(exif: bytes, density_unit: int, mode: str) -> None:
    jpeg = encode(picture().convert(mode), "JPEG", quality=95)
    app0 = b"\xff\xe0\0\x10JFIF\0\1\1" + bytes([density_unit]) + b"\0\x48\0\x48\0\0"
    start = 20 if mode != "CMYK" else 2  # Pillow writes no JFIF header for CMYK
    data = jpeg[:2] + app0 + exif_block(exif) + jpeg[start:]
    expected = read(jpeg).pixels
    assert np.array_equal(read(data).pixels, expected)


LOSSLESS_GREY_JPEG = base64.b64decode(
    "/9j/xAAWAAEBAQAAAAAAAAAAAAAAAAAABgj/wwALCAAIAAgBABEA/9oACAEAAAYAAM/0FBQUFBQUAAAAAAAAAAD/2Q=="
)
"""8 x 8 px, each row 0, 32, … 224."""
START_OF_FRAME = b"\xff\xc0\0\x11\x08"


class TestJpegCodings:
    def test_lossless_grey_is_read(self) -> None:
        assert read(LOSSLESS_GREY_JPEG).pixels[3, :, 1].tolist() == list(range(0, 256, 32))

    @pytest.mark.parametrize(
        ("replacement", "coding"),
        [
            pytest.param(b"\xff\xc1\0\x11\x0c", "a JPEG of 12 bits per sample", id="12 bits, of a scanner"),
            pytest.param(b"\xff\xc3\0\x11\x10", "a JPEG of 16 bits per sample", id="16 bits, lossless"),
            pytest.param(b"\xff\xf7\0\x11\x08", "a JPEG-LS", id="JPEG-LS"),
        ],
    )
    def test_a_coding_without_a_decoder_is_not_called_corrupt(self, replacement: bytes, coding: str) -> None:
        jpeg = encode(picture(), "JPEG")
        assert START_OF_FRAME in jpeg
        with pytest.raises(InvalidInputError, match=f"got {coding}, which is not supported"):
            read(jpeg.replace(START_OF_FRAME, replacement))


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("image_format", ["WEBP", "PNG"])
def test_other_formats_with_a_damaged_exif_block_are_read(image_format: str) -> None:
    image = picture().convert("RGBA")
    data = encode(image, image_format, exif=b"Exif\0\0II*\0\xff\xff\xff\x7f")
    assert read(data).size == (48, 64)


def test_a_float_map_is_read() -> None:
    values = (GREY[::-1] / 255).astype("<f4").tobytes()
    assert np.array_equal(read(b"Pf\n64 48\n-1.0\n" + values).pixels, GREY_BGR)


def test_pillow_modes_with_alpha_lie_on_white() -> None:
    grey_alpha = PIL.Image.merge("LA", [picture().convert("L"), PIL.Image.new("L", (64, 48), 0)])
    assert (read(encode(grey_alpha, "PNG")).pixels == 255).all()
