"""The tensors of Docling's remote OCR."""

import numpy as np
import pytest

from tritonocr_backend.core.errors import InvalidInputError
from tritonocr_backend.triton.docling import LANGUAGE_NAMES, ocr_inputs
from tritonocr_common.options import OPTIONS


def tensors(language: bytes) -> dict[str, np.ndarray]:
    image = np.zeros((1, 2, 3, 3), np.uint8)
    image[..., 0] = 255  # red in RGB
    return {"lang_type": np.array([[language]], dtype=object), "image": image}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(b"english", b"en", id="Docling's first default"),
        pytest.param(b"chinese", b"ch", id="Docling's second default"),
        pytest.param(b"English ", b"en", id="case and blanks do not count"),
        pytest.param(b"german", b"latin", id="a language that a script's model reads"),
        pytest.param(b"japan", b"japan", id="the server's own name is passed on"),
        pytest.param(b"klingon", b"klingon", id="an unknown name is passed on, for the server's error"),
    ],
)
def test_a_language_becomes_the_servers_name(given: bytes, expected: bytes) -> None:
    assert ocr_inputs(tensors(given))["lang"].tolist() == [expected]


def test_no_language_leaves_the_choice_to_the_server() -> None:
    assert "lang" not in ocr_inputs(tensors(b""))


def test_bytes_that_are_no_text_are_rejected() -> None:
    with pytest.raises(InvalidInputError, match="lang_type"):
        ocr_inputs(tensors(b"\xff"))


def test_the_picture_becomes_bgr_and_is_not_turned() -> None:
    inputs = ocr_inputs(tensors(b"english"))
    assert inputs["image"].shape == (2, 3, 3)
    assert inputs["image"][0, 0].tolist() == [0, 0, 255]
    assert not inputs["use_doc_orientation_classify"][0]
    assert not inputs["use_doc_unwarping"][0]
    assert {*inputs} - {"image"} <= {*OPTIONS}


def test_names_of_languages_are_lower_case() -> None:
    assert all(name == name.lower() for name in LANGUAGE_NAMES)
