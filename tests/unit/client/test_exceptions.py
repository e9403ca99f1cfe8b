"""The exception classes, and the table from statuses and reasons to classes."""

import re
from http import HTTPStatus

import grpc
import pytest

import tritonocr
from tritonocr import _exceptions
from tritonocr._exceptions import ERROR_BY_STATUS, error_from_status, missing_extra

CLASSES = [
    value
    for value in vars(_exceptions).values()
    if isinstance(value, type) and issubclass(value, _exceptions.TritonOCRError)
]


@pytest.mark.parametrize("code", grpc.StatusCode, ids=lambda code: code.name)
def test_every_grpc_status_has_its_exception(code: grpc.StatusCode) -> None:
    assert str(code) in ERROR_BY_STATUS


def test_the_table_knows_no_status_that_does_not_exist() -> None:
    known = {str(code) for code in grpc.StatusCode} | {str(status.value) for status in HTTPStatus} | {"499"}
    assert set(ERROR_BY_STATUS) <= known


def test_the_docstring_draws_the_tree_as_it_is() -> None:
    drawn = set(re.findall(r"(\w+Error)(?= \(|\s{2,}|\n)", _exceptions.__doc__ or ""))
    assert {cls.__name__ for cls in CLASSES} == drawn
    assert {cls.__name__ for cls in CLASSES} <= set(tritonocr.__all__)


@pytest.mark.parametrize(
    ("status", "message", "expected"),
    [
        ("StatusCode.INVALID_ARGUMENT", "file: got 0 bytes", tritonocr.InvalidInputError),
        ("400", "file: got 0 bytes", tritonocr.InvalidInputError),
        ("StatusCode.UNAVAILABLE", "Exceeds maximum queue size", tritonocr.OverloadedError),
        ("503", "PP-OCRv4_mobile_det is busy [overloaded]", tritonocr.OverloadedError),
        ("503", "/dev/shm is full [shared_memory_full]", tritonocr.OverloadedError),
        ("StatusCode.UNAVAILABLE", "the server ends [stopping]", tritonocr.ServerUnavailableError),
        ("400", "lang: got 'xx', expected en [invalid_option]", tritonocr.InvalidOptionError),
        ("400", "lang: got 'xx', expected en", tritonocr.InvalidInputError),
        ("400", "file: the JPEG is truncated [unreadable]", tritonocr.InvalidInputError),
        ("StatusCode.UNAVAILABLE", "Request timeout expired", tritonocr.OverloadedError),
        ("StatusCode.UNAVAILABLE", "Connection refused", tritonocr.ServerUnavailableError),
        ("StatusCode.INTERNAL", "text_crop failed: Server not ready", tritonocr.ServerUnavailableError),
        ("StatusCode.NOT_FOUND", "'ocr' has no available versions", tritonocr.ServerUnavailableError),
        ("StatusCode.INVALID_ARGUMENT", "file: server not ready", tritonocr.InvalidInputError),
        ("StatusCode.NOT_FOUND", "unknown model 'ocr'", tritonocr.ModelNotFoundError),
        ("599", "an unknown status", tritonocr.ServerError),
        (None, "no status at all", tritonocr.ServerError),
    ],
)
def test_a_status_becomes_its_exception(status: str | None, message: str, expected: type[Exception]) -> None:
    error = error_from_status(status, message)
    assert type(error) is expected
    assert str(error) == message.partition(" [")[0]


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        (tritonocr.InvalidInputError, ValueError),
        (tritonocr.ServerUnavailableError, ConnectionError),
        (tritonocr.DeadlineExceededError, TimeoutError),
        (tritonocr.AccessDeniedError, PermissionError),
        (tritonocr.MissingExtraError, ImportError),
    ],
)
def test_errors_are_caught_as_pythons_own_too(error: type[Exception], builtin: type[Exception]) -> None:
    assert issubclass(error, builtin)


def test_a_missing_package_is_named_with_its_extra() -> None:
    error = missing_extra("viz", "Drawing results", ImportError("no PIL", name="PIL"))
    assert str(error) == "Drawing results needs the package 'PIL': pip install \"tritonocr[viz]\"."
