"""The table of options: types, ranges and choices of every option."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic.alias_generators import to_camel

from tritonocr_common.options import OPTIONS, Option, OptionValueError

NUMBERS = [option for option in OPTIONS.values() if option.kind in (int, float)]
FLAGS = [option for option in OPTIONS.values() if option.kind is bool]
WRONG_TYPES: dict[type, list[Any]] = {
    bool: [0, 1, 1.0, "true", "", None],
    int: [True, 1.5, 10.0, "10", None],
    float: [True, "0.3", None, [0.3]],
    str: [1, 0.5, True, None, b"max"],
}
EXPECTED = {bool: "True or False", int: "an integer", float: "a number", str: "a string"}


def refused(option: Option, value: Any) -> str:
    with pytest.raises(OptionValueError) as error:
        option.check(value)
    return str(error.value)


def ids(option: Option) -> str:
    return option.name


@pytest.mark.parametrize("option", OPTIONS.values(), ids=ids)
class TestEveryOption:
    def test_its_default_passes_its_own_check(self, option: Option) -> None:
        default = "" if option.default is None else option.default
        value = option.check(default)
        assert value == default
        assert type(value) is option.kind

    def test_another_type_is_refused_by_name(self, option: Option) -> None:
        for value in WRONG_TYPES[option.kind]:
            assert refused(option, value) == f"{option.name}: got {value!r}, expected {EXPECTED[option.kind]}"

    def test_its_default_reads_back_from_text(self, option: Option) -> None:
        if option.default is not None:
            assert option.parse(str(option.default)) == option.default

    def test_its_rest_key_is_its_name_in_camel_case(self, option: Option) -> None:
        assert option.rest_key in (None, to_camel(option.name))

    def test_its_paddlex_key_is_its_name(self, option: Option) -> None:
        assert option.paddlex_key in (None, option.name)

    def test_only_a_text_may_be_left_to_the_server(self, option: Option) -> None:
        assert option.default is not None or option.kind is str


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
    option = OPTIONS["text_det_limit_type"]
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
    assert refused(OPTIONS[name], value).startswith(f"{name}: got {got}, expected")


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        pytest.param("use_doc_unwarping", "FALSE", False, id="a boolean in any case"),
        pytest.param("use_doc_unwarping", "0", None, id="no other word for a boolean"),
        pytest.param("max_pages", "7", 7, id="an integer"),
        pytest.param("max_pages", "7.0", None, id="no fraction for an integer"),
        pytest.param("max_pages", "0", None, id="an integer out of range"),
        pytest.param("text_det_thresh", "0", 0.0, id="0 means 0"),
        pytest.param("text_det_thresh", "nan", None, id="not a number"),
        pytest.param("lang", "ar", "ar", id="a text"),
    ],
)
def test_text_is_read_as_the_options_type(name: str, text: str, expected: Any) -> None:
    if expected is None:
        with pytest.raises(OptionValueError, match=f"^{name}: got "):
            OPTIONS[name].parse(text)
    else:
        assert OPTIONS[name].parse(text) == expected


def test_a_long_value_is_shortened() -> None:
    assert len(refused(OPTIONS["text_det_limit_type"], "x" * 20_000)) < 200
