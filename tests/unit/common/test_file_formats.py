"""Formats that the client, the gateway and the server recognise in the same way."""

import base64

import pytest

from tritonocr_common.file_formats import base64_text, decoded_base64, is_pdf, is_tiff

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


def test_the_text_of_base64_has_neither_prefix_nor_white_space() -> None:
    assert base64_text(b"data:image/png;base64,QUJD\r\nRA==\t") == b"QUJDRA=="


def test_headers() -> None:
    assert is_pdf(bytes(1000) + b"%PDF-1.4")
    assert not is_pdf(bytes(1024) + b"%PDF-1.4")
    assert [is_tiff(data) for data in (b"II*\0", b"MM\0+", b"II\0*", b"")] == [True, True, False, False]
