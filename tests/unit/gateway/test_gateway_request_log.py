"""Every request has one id: in the response, in the request to Triton, and in the log line."""

import json
import logging
import logging.config
import time
from typing import Any

import pytest
from fake_triton import FakeTransport

from tritonocr_gateway.request_log import log_config

TRACE_PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize(
    ("headers", "fields", "expected"),
    [
        pytest.param({"X-Request-ID": "scan-7"}, {}, "scan-7", id="the header's"),
        pytest.param({}, {"logId": "form-8"}, "form-8", id="the body's, PaddleX's way"),
        pytest.param(
            {"X-Request-ID": "scan-7"}, {"logId": "form-8"}, "form-8", id="the body's before the header's"
        ),
    ],
)
def test_an_id_that_is_given_goes_everywhere(
    serve: Any,
    triton: FakeTransport,
    body: dict[str, Any],
    headers: dict[str, str],
    fields: dict[str, str],
    expected: str,
) -> None:
    answer = serve().post("/ocr", json={**body, **fields}, headers=headers)
    assert answer.headers["X-Request-ID"] == answer.json()["logId"] == expected
    assert triton.requests[-1].request_id == expected


@pytest.mark.parametrize("bad", ["", "a b", "x" * 129, "caf\xe9"])
def test_one_that_fits_no_header_or_log_is_replaced(serve: Any, bad: str) -> None:
    answer = serve().get("/health", headers={"X-Request-ID": bad.encode("latin-1")})
    assert len(answer.headers["X-Request-ID"]) == 36
    assert answer.headers["X-Request-ID"] == answer.json()["logId"]


@pytest.mark.parametrize(
    ("log_id", "in_header"),
    [
        pytest.param("扫描 7", "%E6%89%AB%E6%8F%8F%207", id="no ASCII"),
        pytest.param(" scan ", "%20scan%20", id="h11 refuses headers with blanks at the ends"),
    ],
)
def test_an_id_of_any_characters_is_spelt_out_in_the_header(
    serve: Any, body: dict[str, Any], log_id: str, in_header: str
) -> None:
    answer = serve().post("/ocr", json={**body, "logId": log_id})
    assert answer.json()["logId"] == log_id
    assert answer.headers["X-Request-ID"] == in_header


@pytest.mark.parametrize(
    ("given", "handed_on"),
    [
        pytest.param(TRACE_PARENT, {"traceparent": TRACE_PARENT}, id="a trace's"),
        pytest.param("00-nonsense", {}, id="no trace's"),
        pytest.param(None, {}, id="none"),
    ],
)
def test_triton_is_told_whose_trace_it_is(
    serve: Any, triton: FakeTransport, body: dict[str, Any], given: str | None, handed_on: dict[str, str]
) -> None:
    serve().post("/ocr", json=body, headers={"traceparent": given} if given else {})
    assert triton.requests[-1].headers == handed_on


def test_an_error_has_its_id_too(serve: Any) -> None:
    answer = serve().post("/ocr", content=b"?", headers={"X-Request-ID": "scan-9"})
    assert answer.status_code == 415
    assert answer.headers["X-Request-ID"] == answer.json()["logId"] == "scan-9"


def logged(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.name == "tritonocr_gateway.request_log"]


def test_a_request_is_one_line_which_tells_the_route_and_not_the_path(
    serve: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "tritonocr_gateway.request_log"):
        serve().get("/no/such/secret", headers={"X-Request-ID": "scan-10"})
        deadline = time.monotonic() + 10  # it is written after the answer
        while not (lines := logged(caplog)) and time.monotonic() < deadline:
            time.sleep(0.01)
    (line,) = lines
    assert line.getMessage() == "GET unmatched 404"
    assert line.__dict__["request_id"] == "scan-10"
    assert line.__dict__["milliseconds"] >= 0


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_lines_of_both_formats(log_format: Any) -> None:
    formatters = log_config(log_format)["formatters"]
    logging.config.dictConfig({"version": 1, "disable_existing_loggers": False, "formatters": formatters})
    made = logging.config.DictConfigurator({"version": 1, "formatters": formatters})
    formatter = made.configure_formatter(made.config["formatters"]["default"])
    record = logging.makeLogRecord(
        {"name": "x", "levelname": "INFO", "msg": "GET /health 200", "request_id": "é\n", "milliseconds": 1.5}
    )
    line = formatter.format(record)
    assert "\n" not in line
    if log_format == "json":
        told = json.loads(line)
        assert (told["message"], told["request_id"], told["milliseconds"]) == ("GET /health 200", "é\n", 1.5)
    else:
        assert line.endswith(r"INFO GET /health 200 '\xe9\n' 1.5 ms")
