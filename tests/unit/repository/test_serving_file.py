"""Test `serving.yaml`, which `tritonocr tune` writes and `tritonocr serve` reads."""

from pathlib import Path

import pytest

from tritonocr_backend.core.contracts import Role
from tritonocr_backend.repository import serving_file
from tritonocr_backend.repository.serving_settings import ServingSettings
from tritonocr_backend.zoo.errors import ServingFileError

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "serving.yaml"


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param(ServingSettings(), id="defaults"),
        pytest.param(
            ServingSettings(
                engine="onnxruntime",
                precision="f32",
                instances={"ocr": 8, "text_recognition": 3},
                threads={Role.TEXT_RECOGNITION: 1, Role.TEXT_DETECTION: 0},
            ),
            id="all settings of tune",
        ),
    ],
)
def test_written_settings_are_read_back(settings: ServingSettings, path: Path) -> None:
    path.write_text(serving_file.text(settings, "a comment"))
    assert serving_file.read(path) == settings
    assert path.read_text().startswith("# a comment\n")


def test_empty_file_has_the_defaults(path: Path) -> None:
    path.write_text("# nothing\n")
    assert serving_file.read(path) == ServingSettings()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("engine: fast", "engine: got 'fast', expected 'auto', 'openvino'", id="unknown engine"),
        pytest.param("speed: 3", "speed: got 3, extra inputs are not permitted", id="unknown key"),
        pytest.param("instances: {ocr: 0}", "instances.ocr: got 0", id="zero instances"),
        pytest.param("instances: {orc: 2}", "orc", id="unknown model"),
        pytest.param("threads: {text_recognition: two}", "got 'two'", id="not a number"),
        pytest.param("- 1", "expected a mapping", id="a list"),
        pytest.param("a: b: c", "line 1: not valid YAML", id="not YAML"),
    ],
)
def test_error_names_an_invalid_entry(text: str, message: str, path: Path) -> None:
    path.write_text(text)
    with pytest.raises(ServingFileError) as error:
        serving_file.read(path)
    assert str(path) in str(error.value)
    assert message in str(error.value)


def test_error_names_a_missing_file(path: Path) -> None:
    with pytest.raises(ServingFileError, match=r"serving\.yaml cannot be read"):
        serving_file.read(path)
