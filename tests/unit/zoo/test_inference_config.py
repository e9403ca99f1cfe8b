"""Test `inference.yml` files from PaddleX, from `compose`, and with errors."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from tritonocr_backend.core.contracts import Role
from tritonocr_backend.core.network_metadata import Normalisation
from tritonocr_backend.zoo import inference_config
from tritonocr_backend.zoo.errors import ModelFormatError

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

# As in the archive of PP-OCRv4_mobile_det: with a quotient as scale, and with operators for training.
DETECTION = """
Global:
  model_name: a_fine_tuned_detector
PreProcess:
  transform_ops:
  - DecodeImage: {channel_first: false, img_mode: BGR}
  - DetLabelEncode: null
  - DetResizeForTest: {resize_long: 960}
  - NormalizeImage:
      mean: [0.485, 0.456, 0.406]
      order: hwc
      scale: 1./255.
      std: [0.229, 0.224, 0.225]
  - ToCHWImage: null
PostProcess: {name: DBPostProcess, thresh: 0.2, box_thresh: 0.6, max_candidates: 1000, unclip_ratio: 1.5}
"""


def _load(text: str, tmp_path: Path) -> inference_config.InferenceConfig:
    (tmp_path / "inference.yml").write_text(text, encoding="utf-8")
    return inference_config.load(tmp_path)


def test_a_detection_file_of_paddlex_is_read(tmp_path: Path) -> None:
    config = _load(DETECTION, tmp_path)
    assert config.role is Role.TEXT_DETECTION
    assert config.normalisation == Normalisation(1 / 255, IMAGENET_MEAN, IMAGENET_STD, "BGR")
    assert config.input_shape == (None, None)


@pytest.mark.parametrize(
    ("role", "input_shape", "channel_order"),
    [
        (Role.DOC_ORIENTATION, (224, 224), "RGB"),
        (Role.TEXTLINE_ORIENTATION, (80, 160), "RGB"),
        (Role.TEXT_DETECTION, (None, None), "BGR"),
        (Role.TEXT_RECOGNITION, (48, None), "BGR"),
    ],
)
def test_a_composed_file_is_read_with_its_role(
    role: Role, input_shape: tuple[int | None, int | None], channel_order: str
) -> None:
    config = inference_config.parse(inference_config.compose(role, "mine", characters="ab"))
    assert (config.role, config.input_shape) == (role, input_shape)
    assert config.normalisation.channel_order == channel_order


def test_detection_thresholds_are_not_written() -> None:
    content = inference_config.compose(Role.TEXT_DETECTION, "PP-OCRv6_small_det")
    assert content["PostProcess"] == {"name": "DBPostProcess"}  # the registry owns the thresholds


def test_letters_of_a_dictionary_are_not_read_as_booleans(tmp_path: Path) -> None:
    # PyYAML, which wrote the official files, reads y and n as letters; other parsers read booleans.
    plain = ["y", "n", "Y", "N", "e", "E", "o", ".", "/", ";", "\\", "^", "_", "(", ")", "+", "$", "é", "一"]
    lines = "\n".join(f"  - {character}" for character in plain)
    text = (
        "Global: {model_name: PP-OCRv4_mobile_rec}\n"
        "PreProcess: {transform_ops: [{RecResizeImg: {image_shape: [3, 48, 320]}}]}\n"
        f"PostProcess:\n  name: CTCLabelDecode\n  character_dict:\n{lines}\n"
    )
    assert _load(text, tmp_path).characters == tuple(plain)


# YAML treats some characters as line ends, as syntax, or as other types; none may change.
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=3), min_size=1))
def test_every_character_is_saved_and_loaded_unchanged(characters: list[str]) -> None:
    with TemporaryDirectory() as directory:
        content = inference_config.compose(Role.TEXT_RECOGNITION, "mine", characters=characters)
        inference_config.save(content, Path(directory))
        assert inference_config.load(Path(directory)).characters == tuple(characters)


def _without(*path: str) -> str:
    content: Any = YAML(typ="safe").load(DETECTION)
    parent = content
    for key in path[:-1]:
        parent = parent[key]
    del parent[path[-1]]
    return _dump(content)


def _dump(content: Any) -> str:
    from io import StringIO

    text = StringIO()
    YAML(typ="safe").dump(content, text)
    return text.getvalue()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "the file: got None, expected a mapping", id="empty file"),
        pytest.param("a: [", "not valid YAML", id="not YAML"),
        pytest.param(_without("Global", "model_name"), "Global.model_name is missing", id="no name"),
        pytest.param(_without("PostProcess"), "the role of .* is not known", id="no role"),
        pytest.param(_without("PreProcess"), "has no NormalizeImage", id="no normalisation"),
        pytest.param(DETECTION.replace("1./255.", "1./0"), "scale: got '1./0'", id="scale over zero"),
        pytest.param(DETECTION.replace("1./255.", "a"), "scale", id="scale in words"),
        pytest.param(
            DETECTION.replace("[0.229, 0.224, 0.225]", "[1, 2]"), "std: got", id="two standard deviations"
        ),
        pytest.param(
            DETECTION.replace("DBPostProcess", "CTCLabelDecode"),
            "character_dict is missing",
            id="no characters",
        ),
        pytest.param(
            "{Global: {model_name: m}, PostProcess: {name: CTCLabelDecode, character_dict: [a, 1]}}",
            "character_dict.1: got 1, expected a valid string",
            id="a number in the dictionary",
        ),
        pytest.param(
            "{Global: {model_name: m}, PostProcess: {name: CTCLabelDecode, character_dict: [a]}}",
            "RecResizeImg.image_shape: got None, expected 3 size",
            id="no input size",
        ),
        pytest.param(
            "{Global: {model_name: PP-LCNet_x1_0_doc_ori}}", "Topk.label_list is missing", id="no labels"
        ),
    ],
)
def test_an_invalid_file_is_rejected_with_the_reason(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ModelFormatError, match=message) as caught:
        _load(text, tmp_path)
    assert str(tmp_path / "inference.yml") in str(caught.value)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=5,
)
PLACES = [
    ("Global",),
    ("Global", "model_name"),
    ("PreProcess",),
    ("PreProcess", "transform_ops"),
    ("PreProcess", "transform_ops", 3),
    ("PreProcess", "transform_ops", 3, "NormalizeImage"),
    ("PreProcess", "transform_ops", 3, "NormalizeImage", "scale"),
    ("PreProcess", "transform_ops", 3, "NormalizeImage", "mean"),
    ("PostProcess",),
    ("PostProcess", "name"),
]


@given(st.sampled_from(PLACES), VALUES)
def test_any_value_is_either_read_or_rejected(place: tuple[Any, ...], value: Any) -> None:
    content: Any = YAML(typ="safe").load(DETECTION)
    parent = content
    for key in place[:-1]:
        parent = parent[key]
    parent[place[-1]] = value
    try:
        role = inference_config.parse(content).role
    except ModelFormatError:
        return  # any other error would be a crash
    assert role is Role.TEXT_DETECTION


def test_a_missing_file_and_a_wrong_encoding_are_reported(tmp_path: Path) -> None:
    with pytest.raises(ModelFormatError, match=r"has no inference\.yml"):
        inference_config.load(tmp_path)
    (tmp_path / "inference.yml").write_bytes("é".encode("latin-1"))
    with pytest.raises(ModelFormatError, match="not UTF-8 text"):
        inference_config.load(tmp_path)


def test_a_line_height_other_than_48_px_is_rejected(tmp_path: Path) -> None:
    content = inference_config.compose(Role.TEXT_RECOGNITION, "mine", characters="abc")
    content["PreProcess"]["transform_ops"] = [{"RecResizeImg": {"image_shape": [3, 32, 320]}}]
    inference_config.save(content, tmp_path)
    with pytest.raises(ModelFormatError, match="got a line height of 32 px, expected 48 px"):
        inference_config.load(tmp_path)
