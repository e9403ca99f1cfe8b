"""Compare models.yaml with the tables of the tutorial."""

import json
from collections import Counter
from pathlib import Path

import pytest

from tritonocr_backend.core.contracts import Role
from tritonocr_backend.core.settings import DEFAULT_NETWORKS
from tritonocr_backend.zoo import registry
from tritonocr_backend.zoo.errors import UnknownModelError

TUTORIAL_LANGUAGES = {
    *("ch", "en", "japan", "korean", "chinese_cht", "te", "ka", "ta"),
    *("latin", "arabic", "cyrillic", "devanagari"),
}


def test_every_model_of_the_tutorial_is_registered_with_its_figures() -> None:
    in_tutorial = [model for model in registry.official() if model.accuracy]
    assert Counter(model.role for model in in_tutorial) == {
        Role.DOC_ORIENTATION: 1,
        Role.DOC_UNWARPING: 1,
        Role.TEXT_DETECTION: 4,
        Role.TEXT_RECOGNITION: 18,
        Role.TEXTLINE_ORIENTATION: 1,
    }
    assert all(model.size_mb and model.archive for model in in_tutorial)


def test_names_are_unique() -> None:
    names = [model.name for model in registry.official()]
    assert len(names) == len(set(names))


def test_archives_are_named_after_their_models() -> None:
    for model in registry.official():
        assert model.archive is None or model.archive.endswith(f"/{model.name}_infer.tar")


def test_every_model_has_a_source() -> None:
    assert all(model.archive or model.wheels for model in registry.official())


def test_recognition_models_have_all_languages_of_the_tutorial() -> None:
    for model in registry.official():
        assert bool(model.languages) == (model.role is Role.TEXT_RECOGNITION)
    assert {code for model in registry.official() for code in model.languages} == TUTORIAL_LANGUAGES


def test_recognition_models_in_wheels_have_a_number_of_characters() -> None:
    for model in registry.official():
        if model.role is Role.TEXT_RECOGNITION and model.wheels:
            assert model.characters


def test_wheel_files_follow_the_layout() -> None:
    for model in registry.official():
        for source in model.wheels:
            targets = {file.target for file in source.files} - {"inference.yml"}
            expected = {
                "onnx": {"inference.onnx"},
                "paddle": {"inference.pdmodel", "inference.pdiparams"},
            }
            assert targets == expected[source.file_format], model.name


@pytest.mark.parametrize("role", list(Role))
def test_the_default_networks_are_registered_for_their_roles(role: Role) -> None:
    assert registry.find(DEFAULT_NETWORKS[role]).role is role


def test_the_error_for_an_unknown_model_lists_the_known_models() -> None:
    with pytest.raises(
        UnknownModelError, match=r"unknown model 'PP-OCRv9'; the known models are: .*PP-OCRv4_mobile_det"
    ):
        registry.find("PP-OCRv9")


def test_a_record_of_an_earlier_version_is_read(home: Path) -> None:
    folder = home / "models" / "mine"
    folder.mkdir(parents=True)
    record = registry.find("PP-OCRv6_small_det").model_dump(mode="json") | {"name": "mine"}
    record["postprocess"]["max_candidates"] = None  # a setting that earlier versions wrote
    (folder / "model.json").write_text(json.dumps(record))
    assert registry.find("mine").postprocess.box_thresh == 0.45
