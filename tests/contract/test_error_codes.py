"""Every error that may cross into Triton has a code, and no two of a kind are told apart by order."""

from collections.abc import Iterator

import pb_utils_stand_in
import pytest

from tritonocr_backend.core import errors
from tritonocr_backend.core.errors import TritonOcrError
from tritonocr_backend.triton.errors import CODES, error_response


def below(error_class: type[Exception]) -> Iterator[type[Exception]]:
    for subclass in error_class.__subclasses__():
        yield subclass
        yield from below(subclass)


# The zoo's errors stay on the command line: no model's process imports them (test_layers says so).
OURS = [error_class for error_class in below(TritonOcrError) if error_class.__module__ == errors.__name__]


def test_the_table_is_total() -> None:
    assert set(CODES) == set(OURS)


def test_no_class_hides_another() -> None:
    """The first that fits is taken, so none may be a subclass of another."""
    assert [(a, b) for a in CODES for b in CODES if a is not b and issubclass(a, b)] == []


@pytest.mark.parametrize("error_class", OURS, ids=lambda c: c.__name__)
def test_each_gets_its_code_and_keeps_its_sentence(error_class: type[TritonOcrError]) -> None:
    error = error_response(error_class("what, got, expected")).error()
    assert error is not None
    assert error.code() == getattr(pb_utils_stand_in.TritonError, CODES[error_class])
    assert error.message() == "what, got, expected"
