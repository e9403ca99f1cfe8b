"""Test OCR.yaml: PaddleX's files work unchanged, and errors name the line of an invalid value."""

import json
import re
from pathlib import Path

import networks
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tritonocr_backend.core.contracts import Role
from tritonocr_backend.core.settings import DEFAULT_NETWORKS, PipelineSettings, effective_options
from tritonocr_backend.repository import pipeline_config
from tritonocr_backend.repository.pipeline_config import PipelineConfig, default_text
from tritonocr_backend.zoo.errors import PipelineConfigError
from tritonocr_common.option_types import OptionValues
from tritonocr_common.options import OPTIONS

pytestmark = pytest.mark.usefixtures("home")

# The file of PaddleX 3.0.0rc0, with one step on and one step off.
PADDLEX = """\
pipeline_name: OCR
text_type: general
use_doc_preprocessor: False
use_textline_orientation: yes
SubModules:
  TextDetection:
    module_name: text_detection
    model_name: PP-OCRv4_server_det
    model_dir: null
    limit_side_len: 736
    limit_type: min
    max_side_limit: 4000
    thresh: 0.3
    box_thresh: 0.6
    unclip_ratio: 1.5
  TextLineOrientation:
    module_name: textline_orientation
    model_name: PP-LCNet_x0_25_textline_ori
    model_dir: null
    batch_size: 1
  TextRecognition:
    module_name: text_recognition
    model_name: en_PP-OCRv4_mobile_rec
    model_dir: null
    score_thresh: 0
"""


def _load(text: str, tmp_path: Path) -> PipelineConfig:
    path = tmp_path / "OCR.yaml"
    path.write_text(text, encoding="utf-8")
    return pipeline_config.load(path)


def in_force(config: PipelineConfig) -> OptionValues:
    return effective_options(config.settings(), config.networks, None)


def test_default_text_equals_the_default_configuration(tmp_path: Path) -> None:
    config = _load(default_text(), tmp_path)
    assert config.networks == DEFAULT_NETWORKS
    assert in_force(config) == in_force(pipeline_config.default())
    assert config.warnings == ()
    assert config.model_dirs == {}


def test_file_with_only_the_pipeline_name_equals_the_default(tmp_path: Path) -> None:
    assert _load("pipeline_name: OCR\n", tmp_path).settings() == PipelineSettings()


def test_file_of_paddlex_works_unchanged(tmp_path: Path) -> None:
    config = _load(PADDLEX, tmp_path)
    assert config.networks == {
        Role.TEXTLINE_ORIENTATION: "PP-LCNet_x0_25_textline_ori",
        Role.TEXT_DETECTION: "PP-OCRv4_server_det",
        Role.TEXT_RECOGNITION: "en_PP-OCRv4_mobile_rec",
    }
    assert config.options == {
        "use_doc_orientation_classify": False,
        "use_doc_unwarping": False,
        "use_textline_orientation": True,
        "text_det_limit_side_len": 736,
        "text_det_limit_type": "min",
        "text_det_thresh": 0.3,
        "text_det_box_thresh": 0.6,
        "text_det_unclip_ratio": 1.5,
        "text_rec_score_thresh": 0.0,
    }


def test_keys_of_paddlex_cause_no_warning(tmp_path: Path) -> None:
    assert "max_side_limit: 4000" in PADDLEX
    assert "batch_size: 1" in PADDLEX
    assert _load(PADDLEX, tmp_path).warnings == ()


def test_warnings_name_unknown_keys_and_their_lines(tmp_path: Path) -> None:
    misspelt = PADDLEX.replace("max_side_limit", "max_side_limits")
    assert _load(misspelt, tmp_path).warnings == (
        f"{tmp_path}/OCR.yaml:12: SubModules.TextDetection.max_side_limits is not supported and is ignored",
    )


def test_model_dir_contains_the_weights(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "inference.yml").write_bytes(networks.inference_yml(Role.TEXT_DETECTION, "a_new_detector"))
    (own / "inference.onnx").write_bytes(networks.detection())
    text = (
        f"pipeline_name: OCR\nSubModules: {{TextDetection: {{model_name: a_new_detector, model_dir: {own}}}}}"
    )
    config = _load(text, tmp_path)
    assert config.model_dirs == {"a_new_detector": own}
    assert config.networks[Role.TEXT_DETECTION] == "a_new_detector"


def test_null_keeps_the_default(tmp_path: Path) -> None:
    text = default_text().replace("thresh: 0.3", "thresh: null")
    assert in_force(_load(text, tmp_path)) == in_force(pipeline_config.default())


@given(thresh=st.floats(0, 1), limit=st.integers(1, 100_000), flag=st.booleans())
def test_stated_values_become_options(
    thresh: float, limit: int, flag: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    text = (
        default_text()
        .replace("box_thresh: 0.6", f"box_thresh: {thresh:f}")
        .replace("limit_side_len: 960", f"limit_side_len: {limit}")
        .replace("use_doc_unwarping: True", f"use_doc_unwarping: {flag}")
    )
    config = _load(text, tmp_path_factory.mktemp("config"))
    assert config.options["text_det_box_thresh"] == float(f"{thresh:f}")
    assert config.options["text_det_limit_side_len"] == limit
    assert (Role.DOC_UNWARPING in config.networks) == flag


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        pytest.param("thresh: 0.3", "thresh: 3", "thresh: got 3, expected 0 to 1", id="out of range"),
        pytest.param("thresh: 0.3", "thresh: low", "thresh: got 'low', expected a number", id="a word"),
        pytest.param(
            "type: max", "type: mid", "got 'mid', expected one of max, min", id="not one of the choices"
        ),
        pytest.param("len: 960", "len: 9.5", "got 9.5, expected an integer", id="not an integer"),
        pytest.param("unwarping: True", "unwarping: 2", "got 2, expected True or False", id="not a boolean"),
        pytest.param("general", "seal", "text_type: got 'seal', expected 'general'", id="another text type"),
        pytest.param(
            "name: OCR", "name: seal", "pipeline_name: got 'seal', expected 'OCR'", id="another pipeline"
        ),
        pytest.param("pipeline_name: OCR", "", "pipeline_name is missing", id="missing pipeline"),
        pytest.param(
            ": text_detection", ": text", "got 'text', expected 'text_detection'", id="another module"
        ),
        pytest.param(
            "PP-OCRv4_mobile_rec", "PP-OCRv9", "got 'PP-OCRv9', expected one of PP", id="unknown model"
        ),
        pytest.param(
            "PP-OCRv4_mobile_rec", "UVDoc", "got 'UVDoc', expected one of PP", id="model of another role"
        ),
        pytest.param(
            "PP-OCRv4_mobile_rec",
            "PP-OCRv7_medium_rec",
            "for the weights of another model, set model_dir to its directory",
            id="model of a later PaddleX",
        ),
        pytest.param(
            "model_dir: null  #", "model_dir: /none  #", "/none is not a directory", id="missing directory"
        ),
        pytest.param(
            "  TextDetection:", "  TextDetection: 5\n  A:", "got 5, expected a mapping", id="not a mapping"
        ),
        pytest.param("general", "a: b", "not valid YAML: mapping values", id="not YAML"),
        pytest.param(
            "pipeline_name: OCR", "a: 2001-13-45", "cannot be read .month must be", id="invalid date"
        ),
        pytest.param(
            "text_type:", "pipeline_name:", "not valid YAML: found duplicate key", id="duplicate key"
        ),
    ],
)
def test_invalid_value_is_rejected_with_its_line(old: str, new: str, message: str, tmp_path: Path) -> None:
    before, found, after = default_text().partition(old)
    assert found
    with pytest.raises(PipelineConfigError, match=message) as caught:
        _load(before + new + after, tmp_path)
    line = before.count("\n") + 1
    assert str(caught.value).startswith(f"{tmp_path}/OCR.yaml:{line}: ")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("/home/me/rec", "an absolute path"),
        ("../x", "a path that leads out of the repository"),
        (".", "the repository itself"),
        ("..", "the folder that holds the repository"),
        ("a/b", "a path into another folder"),
        ("ocr", "the name of a stage"),
        ("a\nb", "a line break"),
    ],
)
def test_model_name_that_is_a_path_is_rejected(name: str, reason: str, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "inference.yml").write_bytes(networks.inference_yml(Role.TEXT_RECOGNITION, "tuned", "abc"))
    (own / "inference.onnx").write_bytes(networks.recognition(5))
    module = json.dumps({"model_name": name, "model_dir": str(own)})
    text = f"pipeline_name: OCR\nSubModules:\n  TextRecognition: {module}\n"
    with pytest.raises(PipelineConfigError, match="name of a model: "):
        _load(text, tmp_path)


VALUES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.lists(st.integers())
)
KEYS = [line.strip().partition(":")[0] for line in default_text().splitlines() if line.strip()]


@given(key=st.sampled_from(KEYS), value=VALUES)
def test_any_value_is_accepted_or_rejected_with_a_configuration_error(
    key: str, value: object, tmp_path_factory: pytest.TempPathFactory
) -> None:
    before, _, after = default_text().partition(f"{key}:")
    text = f"{before}{key}: {json.dumps(value)}\n{after.partition(chr(10))[2]}"
    message = ""
    try:
        _load(text, tmp_path_factory.mktemp("config"))
    except PipelineConfigError as error:
        message = str(error)
    assert re.match(r"(/.*/OCR\.yaml:\d+: .+)?$", message)


def test_error_names_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(PipelineConfigError, match=r"OCR\.yaml cannot be read: .*No such file"):
        pipeline_config.load(tmp_path / "OCR.yaml")


def test_all_options_of_paddlex_files_are_options() -> None:
    for option in OPTIONS.values():
        if option.yaml_key and option.default is not None:
            assert f"{option.yaml_key.split('.')[-1]}: {option.default}" in default_text()
    assert all(f"model_name: {name}\n" in default_text() for name in DEFAULT_NETWORKS.values())
