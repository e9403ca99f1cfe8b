"""Formats that the client, the gateway and the server recognise in the same way."""

import base64
import binascii

import pytest

from tritonocr_common import file_formats
from tritonocr_common.file_formats import decode_base64, decoded_base64, is_pdf, is_tiff

PDF = b"%PDF-1.7\n" + bytes(range(256))


@pytest.mark.parametrize("wrap", [base64.b64encode, base64.encodebytes], ids=["one line", "lines"])
@pytest.mark.parametrize("prefix", [b"", b"data:application/pdf;base64,"], ids=["plain", "data URL"])
def test_base64_of_a_file_is_decoded(wrap: object, prefix: bytes) -> None:
    assert callable(wrap)
    assert decoded_base64(prefix + wrap(PDF)) == PDF


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(PDF, id="a PDF"),
        pytest.param(b"P3 1 1 255 255 255 255 0 0 0", id="a PPM, which consists of base64 characters"),
        pytest.param(b"QUJD", id="too short to be a file"),
        pytest.param(b"a sentence of letters and nothing else.", id="text with a full stop"),
    ],
)
def test_other_data_is_not_base64(data: bytes) -> None:
    assert decoded_base64(data) is None


def test_a_prefix_and_white_space_are_ignored() -> None:
    assert decode_base64(b"data:image/png;base64,QUJD\r\nRA==\t") == b"ABCD"


@pytest.mark.parametrize("size", range(20))
@pytest.mark.parametrize("part_bytes", [1, 3, 4, 5, 7, 64])
def test_parts_give_the_same_bytes_as_the_whole(
    size: int, part_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_formats, "_PART_BYTES", part_bytes)
    content = bytes(range(size))
    assert decode_base64(base64.b64encode(content)) == content
    assert decode_base64(base64.encodebytes(content)) == content


@pytest.mark.parametrize("text", [b"QUJD=QUJDQUJD", b"QQ==QUJDQUJDQUJD", b"QUJ", b"Q", b"QU!D"])
@pytest.mark.parametrize("part_bytes", [1, 4, 5, 1000])
def test_parts_find_the_same_errors_as_the_whole(
    text: bytes, part_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_formats, "_PART_BYTES", part_bytes)
    with pytest.raises(binascii.Error):
        base64.b64decode(text, validate=True)
    with pytest.raises(binascii.Error):
        decode_base64(text)


def test_headers() -> None:
    assert is_pdf(bytes(1000) + b"%PDF-1.4")
    assert not is_pdf(bytes(1024) + b"%PDF-1.4")
    assert [is_tiff(data) for data in (b"II*\0", b"MM\0+", b"II\0*", b"")] == [True, True, False, False]
