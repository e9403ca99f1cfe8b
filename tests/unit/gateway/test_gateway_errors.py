"""Every error has its HTTP status and PaddleX's body, without internal details."""

from __future__ import annotations

from typing import Any

import pytest

import tritonocr
from tritonocr_gateway.errors import ERROR_MAPPINGS, UNEXPECTED, GatewayError, mapping_of


def _below(kind: type[Exception]) -> list[type[Exception]]:
    return [found for sub in kind.__subclasses__() for found in (sub, *_below(sub))]


@pytest.mark.parametrize("kind", [*_below(tritonocr.TritonOCRError), *_below(GatewayError)])
def test_every_exception_has_its_row(kind: type[Exception]) -> None:
    assert kind in ERROR_MAPPINGS


def test_there_are_exceptions_to_have_rows() -> None:
    assert len(_below(tritonocr.TritonOCRError)) >= 10


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (tritonocr.InvalidInputError("file: got 3 bytes."), 422, "file: got 3 bytes."),
        (tritonocr.OverloadedError("Exceeds maximum queue size"), 429, "queue is full"),
        (tritonocr.ServerUnavailableError("nobody at 10.0.0.7:8001"), 503, "does not respond"),
        (tritonocr.ModelNotFoundError("no 'ocr' at 10.0.0.7"), 503, "does not respond"),
        (tritonocr.DeadlineExceededError("10.0.0.7 was late"), 504, "time limit"),
        (tritonocr.ServerError("/opt/secret/model.py line 3"), 500, "logId"),
        (tritonocr.ProtocolError("10.0.0.7 lacks a tensor"), 502, "logId"),
        (tritonocr.AccessDeniedError("10.0.0.7 wants a token"), 502, "credentials"),
        (ZeroDivisionError("10.0.0.7"), 500, "Internal server error"),
    ],
)
def test_an_error_of_the_pipeline_becomes_an_answer(
    serve: Any, triton: Any, body: dict[str, Any], error: Exception, status: int, message: str
) -> None:
    triton.error = error
    answer = serve().post("/ocr", json={**body, "logId": "mine"})
    assert answer.status_code == status
    assert answer.json().keys() == {"logId", "errorCode", "errorMsg"}
    assert answer.json()["errorCode"] == status
    assert answer.json()["logId"] == "mine"
    assert message in answer.json()["errorMsg"]
    assert "10.0.0.7" not in answer.text, "an address of the inside"
    assert "secret" not in answer.text


@pytest.mark.parametrize(
    "error", [tritonocr.OverloadedError("full"), tritonocr.ServerUnavailableError("away")]
)
def test_who_should_come_back_is_told_when(
    serve: Any, triton: Any, body: dict[str, Any], error: Exception
) -> None:
    triton.error = error
    assert serve(retry_after_s=7).post("/ocr", json=body).headers["retry-after"] == "7"


def test_a_class_without_a_row_takes_that_of_its_base() -> None:
    class Stranger(tritonocr.InvalidInputError):
        pass

    assert mapping_of(Stranger()).status == 422
    assert mapping_of(KeyError()) is UNEXPECTED


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/ocr", 405), ("POST", "/health", 405), ("GET", "/nope", 404)]
)
def test_errors_of_http_have_the_same_body(serve: Any, method: str, path: str, status: int) -> None:
    answer = serve().request(method, path)
    assert answer.status_code == status
    assert answer.json()["errorCode"] == status
