"""The table of options."""

from typing import Any, get_type_hints

import numpy as np
import pytest

from tritonocr import OPTIONS, InvalidInputError, OCROptions
from tritonocr._options import DEFAULTS, checked_options, settings_from_model_config


def test_the_typed_dict_lists_the_table() -> None:
    assert list(get_type_hints(OCROptions)) == list(OPTIONS)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("use_doc_unwarping", np.bool_(False), False),
        ("text_det_limit_side_len", np.int64(64), 64),
        ("text_det_thresh", 0, 0.0),  # a number of 0 means 0
        ("text_det_thresh", np.float32(0.5), 0.5),
        ("lang", "ar", "ar"),
    ],
)
def test_numpys_values_count_as_pythons(name: str, value: Any, expected: Any) -> None:
    checked = checked_options({name: value})
    assert checked == {name: expected}
    assert type(checked[name]) is type(expected)


def test_none_means_the_pipelines_own() -> None:
    assert checked_options(dict.fromkeys(OPTIONS)) == {}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"use_doc_unwarping": 1}, "'use_doc_unwarping' is 1; expected True or False, or None"),
        ({"use_doc_unwarping": "False"}, "expected True or False"),
        ({"max_pages": True}, "'max_pages' is True; expected an integer"),
        ({"max_pages": 2.5}, "expected an integer"),
        ({"max_pages": 2**40}, "is 1099511627776; expected 1 to 100000"),
        ({"text_det_thresh": "0.3"}, "expected a number"),
        ({"text_det_thresh": 1.5}, "is 1.5; expected 0 to 1"),
        ({"text_det_thresh": float("nan")}, "is nan; expected 0 to 1"),
        ({"text_det_limit_type": "long"}, "is 'long'; expected one of max, min"),
        ({"x" * 20_000: 1}, "Unknown option 'x{79}…"),
        ({"text_det_thresh": True}, "expected a number"),
        ({"lang": b"ar"}, "expected a string"),
        (
            {"text_det_tresh": 0.3},
            "Unknown option 'text_det_tresh'; the options are use_doc_orientation_classify",
        ),
    ],
)
def test_a_wrong_option_is_named_with_what_was_expected(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidInputError, match=sentence):
        checked_options(options)


def test_the_servers_settings_come_before_the_tutorials() -> None:
    config = {
        "parameters": {
            "text_det_thresh": {"string_value": "0.25"},
            "use_doc_unwarping": {"string_value": "false"},
            "max_pages": {"string_value": "3"},
            "text_det_limit_type": {"string_value": "min"},
            "FORCE_CPU_ONLY_INPUT_TENSORS": {"string_value": "yes"},
        }
    }
    settings = settings_from_model_config(config)
    assert settings == {
        **DEFAULTS,
        "text_det_thresh": 0.25,
        "use_doc_unwarping": False,
        "max_pages": 3,
        "text_det_limit_type": "min",
    }
    assert settings_from_model_config({}) == DEFAULTS
