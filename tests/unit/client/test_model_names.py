"""Distinguish networks from the other models of a server."""

import pytest

from tritonocr._transport.base import loaded_models
from tritonocr._transport.models import languages_of, names_by_role


def _config(name: str, *outputs: str) -> dict[str, object]:
    return {"name": name, "output": [{"name": output} for output in outputs]}


@pytest.mark.parametrize(
    ("config", "role"),
    [
        (_config("PP-OCRv4_mobile_det", "probability"), "text_detection"),
        (_config("my-own", "indices", "confidences"), "text_recognition"),
        (_config("UVDoc", "unwarped"), None),
        (_config("PP-LCNet_x1_0_doc_ori", "probabilities"), None),
        ({"name": "text_recognition_decode", "input": [{"name": "indices"}], "output": []}, None),
        ({"name": "no outputs at all"}, None),
    ],
)
def test_a_model_is_known_by_what_it_answers(config: dict[str, object], role: str | None) -> None:
    found = names_by_role([config])
    assert [name for name, models in found.items() if models] == ([role] if role else [])


def test_names_are_sorted_and_both_roles_are_always_there() -> None:
    assert names_by_role([_config("b", "indices"), _config("a", "indices")]) == {
        "text_detection": [],
        "text_recognition": ["a", "b"],
    }


def test_a_model_of_several_versions_is_listed_once() -> None:
    statistics = [{"name": "b", "version": "1"}, {"name": "a", "version": "1"}, {"name": "b", "version": "2"}]
    assert loaded_models(statistics) == ["b", "a"]


def test_languages_are_the_codes_that_networks_state() -> None:
    configs = [{"name": "ocr", "parameters": {}}] + [
        {"name": codes, "parameters": {"languages": {"string_value": codes}}}
        for codes in ("latin", "ch en", "en")
    ]
    assert languages_of(configs) == ["ch", "en", "latin"]
