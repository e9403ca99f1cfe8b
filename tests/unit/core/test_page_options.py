"""Every option of a request: its range is checked, 0 means 0, and settings survive being written."""

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tritonocr_backend.core.contracts import Role
from tritonocr_backend.core.errors import InvalidInputError
from tritonocr_backend.core.settings import (
    DEFAULT_NETWORKS,
    PAGE_OPTIONS,
    PIPELINE_FILE,
    Option,
    PipelineSettings,
    default_options,
    read_pipeline_settings,
    write_pipeline_settings,
)

NUMBERS = [option for option in PAGE_OPTIONS.values() if option.kind in (int, float)]
FLAGS = [option for option in PAGE_OPTIONS.values() if option.kind is bool]
WRONG_TYPES: dict[type, list[Any]] = {
    bool: [0, 1, 1.0, "true", "", None],
    int: [True, 1.5, 10.0, "10", None],
    float: [True, "0.3", None, [0.3]],
    str: [1, 0.5, True, None, b"max"],
}


def refused(option: Option, value: Any) -> str:
    with pytest.raises(InvalidInputError) as error:
        option.check(value)
    return str(error.value)


def ids(option: Option) -> str:
    return option.name


@pytest.mark.parametrize("option", PAGE_OPTIONS.values(), ids=ids)
class TestEveryOption:
    def test_its_default_passes_its_own_check(self, option: Option) -> None:
        value = option.check(option.default)
        assert value == option.default
        assert type(value) is option.kind

    def test_another_type_is_refused_by_name(self, option: Option) -> None:
        for value in WRONG_TYPES[option.kind]:
            assert refused(option, value) == f"{option.name}: got {value!r}, expected {option.kind.__name__}"


@pytest.mark.parametrize("option", NUMBERS, ids=ids)
class TestEveryNumber:
    def test_its_ends_belong_to_it(self, option: Option) -> None:
        assert option.low is not None
        assert option.high is not None
        for end in (option.low, option.high):
            assert option.check(option.kind(end)) == end

    def test_beyond_its_ends_is_refused(self, option: Option) -> None:
        assert option.low is not None
        assert option.high is not None
        for value in (option.kind(option.low - 1), option.kind(option.high + 1)):
            assert refused(option, value).endswith(f", expected {option.low:g} to {option.high:g}")


@pytest.mark.parametrize("option", [o for o in NUMBERS if o.kind is float], ids=ids)
class TestEveryFloat:
    @pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
    def test_what_is_no_number_is_refused(self, option: Option, value: float) -> None:
        assert f"{option.name}: got {value:g}, expected" in refused(option, value)

    def test_0_means_0(self, option: Option) -> None:
        assert option.check(0.0) == 0.0

    def test_a_whole_number_will_do(self, option: Option) -> None:
        value = option.check(1)
        assert value == 1.0
        assert type(value) is float

    @given(value=st.floats())
    def test_is_taken_as_it_is_or_refused(self, option: Option, value: float) -> None:
        assert option.low is not None
        assert option.high is not None
        if option.low <= value <= option.high:
            assert option.check(value) == value
        else:
            refused(option, value)


@pytest.mark.parametrize("option", FLAGS, ids=ids)
def test_false_means_false(option: Option) -> None:
    assert option.check(False) is False


def test_a_choice_names_the_choices() -> None:
    option = PAGE_OPTIONS["text_det_limit_type"]
    assert option.check("min") == "min"
    assert refused(option, "MAX") == "text_det_limit_type: got 'MAX', expected one of max, min"


@pytest.mark.parametrize(
    ("name", "value", "got"),
    [
        pytest.param("max_pages", 1_234_567, "1234567", id="every digit of a whole number"),
        pytest.param("text_det_thresh", float(np.float32(1.1)), "1.1", id="a float as it was typed"),
        pytest.param("text_det_thresh", 2, "2", id="a whole number for a float"),
    ],
)
def test_what_was_got_is_shown_as_the_user_knows_it(name: str, value: float, got: str) -> None:
    assert refused(PAGE_OPTIONS[name], value).startswith(f"{name}: got {got}, expected")


def test_defaults_are_the_tutorials() -> None:
    assert default_options() == {
        "use_doc_orientation_classify": True,
        "use_doc_unwarping": True,
        "use_textline_orientation": True,
        "text_det_limit_side_len": 960,
        "text_det_limit_type": "max",
        "text_det_thresh": 0.3,
        "text_det_box_thresh": 0.6,
        "text_det_unclip_ratio": 2.0,
        "text_rec_score_thresh": 0.0,
        "text_detection_model_name": "",
        "text_recognition_model_name": "",
        "lang": "",
        "return_word_box": False,
        "return_page_images": False,
        "max_pages": 10,
    }


def test_every_role_has_a_default_network() -> None:
    assert set(DEFAULT_NETWORKS) == set(Role)


class TestSettingsFile:
    @pytest.mark.parametrize(
        "settings",
        [
            pytest.param(PipelineSettings(), id="defaults"),
            pytest.param(
                PipelineSettings(
                    networks={Role.TEXT_DETECTION: "det", Role.TEXT_RECOGNITION: "识别"},
                    options={**default_options(), "text_det_thresh": 0.0, "lang": ""},
                    exact=True,
                    max_pixels=1,
                    max_candidates=2,
                    pages_in_flight=3,
                ),
                id="everything set",
            ),
        ],
    )
    def test_comes_back_as_it_was_written(self, settings: PipelineSettings, tmp_path: Path) -> None:
        write_pipeline_settings(settings, tmp_path)
        assert read_pipeline_settings(tmp_path) == settings

    def test_holds_every_setting_by_name(self, tmp_path: Path) -> None:
        write_pipeline_settings(PipelineSettings(), tmp_path)
        written = json.loads((tmp_path / PIPELINE_FILE).read_text(encoding="utf-8"))
        assert set(written) == {field.name for field in dataclasses.fields(PipelineSettings)}
        assert written["networks"]["text_detection"] == "PP-OCRv4_mobile_det"
