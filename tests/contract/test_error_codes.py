"""Every error has a Triton code, and the code or the reason identifies the error."""

from collections.abc import Iterator

import pb_utils_stand_in
import pytest

from tritonocr._exceptions import error_from_status
from tritonocr_backend.core import errors
from tritonocr_backend.core.errors import ServerError, StageError, TritonOcrError
from tritonocr_backend.triton.errors import CODES, error_response
from tritonocr_common.error_reasons import append_reason, split_reason

GRPC_NAMES = {
    pb_utils_stand_in.TritonError.INVALID_ARG: "StatusCode.INVALID_ARGUMENT",
    pb_utils_stand_in.TritonError.UNAVAILABLE: "StatusCode.UNAVAILABLE",
    pb_utils_stand_in.TritonError.CANCELLED: "StatusCode.CANCELLED",
    pb_utils_stand_in.TritonError.INTERNAL: "StatusCode.INTERNAL",
}


def below(error_class: type[Exception]) -> Iterator[type[Exception]]:
    for subclass in error_class.__subclasses__():
        yield subclass
        yield from below(subclass)


# The zoo's errors stay on the command line: no model's process imports them (test_layers says so).
OURS = [error_class for error_class in below(TritonOcrError) if error_class.__module__ == errors.__name__]


def test_the_table_is_total() -> None:
    assert [error_class for error_class in OURS if not set(error_class.__mro__) & set(CODES)] == []
    assert set(CODES) <= set(OURS)


def test_no_class_hides_another() -> None:
    """The first that fits is taken, so none may be a subclass of another."""
    assert [(a, b) for a in CODES for b in CODES if a is not b and issubclass(a, b)] == []


@pytest.mark.parametrize("error_class", OURS, ids=lambda c: c.__name__)
def test_each_gets_its_code_and_keeps_its_sentence_and_reason(error_class: type[TritonOcrError]) -> None:
    ours = error_class("what, got, expected")
    error = error_response(ours).error()
    assert error is not None
    code = next(CODES[parent] for parent in error_class.__mro__ if parent in CODES)
    assert error.code() == getattr(pb_utils_stand_in.TritonError, code)
    sentence, reason = split_reason(error.message())
    assert sentence == "what, got, expected"
    assert reason in (ours.reason, None)
    if reason is None:  # Triton's code states the reason
        assert {type(other) for other in ours_of(code)} <= {error_class, StageError, ServerError}


@pytest.mark.parametrize("error_class", OURS, ids=lambda c: c.__name__)
def test_an_error_of_a_stream_always_states_its_reason(error_class: type[TritonOcrError]) -> None:
    """Triton transfers no code in a stream; the client selects the same class as by code and reason."""
    ours = error_class("what, got, expected")
    alone, streamed = (error_response(ours, is_streamed=is_streamed).error() for is_streamed in (False, True))
    assert split_reason(streamed.message()) == ("what, got, expected", ours.reason)
    by_code = error_from_status(GRPC_NAMES[alone.code()], alone.message())
    assert type(error_from_status(None, streamed.message())) is type(by_code)


def ours_of(code: str) -> Iterator[TritonOcrError]:
    """Yield an error of each class that has this code and no reason of its own."""
    for error_class in OURS:
        error = error_class("any")
        own = next(CODES[parent] for parent in error_class.__mro__ if parent in CODES)
        if own == code and append_reason("any", error.reason) == "any":
            yield error
