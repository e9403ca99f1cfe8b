"""The names of languages against the registry of models, and PaddleOCR's own names."""

import pytest

from tritonocr_backend.core.contracts import Role
from tritonocr_backend.zoo import registry
from tritonocr_common.languages import MODELS, language_code


def test_each_code_of_a_model_is_known_and_its_suggested_model_reads_it() -> None:
    codes = {code for model in registry.official() for code in model.languages}
    assert codes == set(MODELS)
    for code, name in MODELS.items():
        model = registry.find(name)
        assert model.role is Role.TEXT_RECOGNITION
        assert code in model.languages


@pytest.mark.parametrize(
    ("name", "code"),
    [
        pytest.param("ch", "ch", id="the model's own code"),
        pytest.param("zh", "ch", id="ISO 639-1"),
        pytest.param("jpn", "japan", id="ISO 639-2"),
        pytest.param("German", "latin", id="an English name, as docling sends it"),
        pytest.param("french", "latin", id="PaddleOCR's name"),
        pytest.param("rs_cyrillic", "cyrillic", id="PaddleOCR's name of a script"),
        pytest.param("de-AT", "latin", id="a region that makes no difference"),
        pytest.param("zh-Hant", "chinese_cht", id="a script that makes a difference"),
        pytest.param("chi_tra", "chinese_cht", id="Tesseract's name"),
        pytest.param("ka", "ka", id="Kannada, as in PaddleOCR"),
        pytest.param("klingon", None, id="no language of any model"),
        pytest.param("", None, id="nothing"),
    ],
)
def test_names_of_languages(name: str, code: str | None) -> None:
    assert language_code(name) == code
