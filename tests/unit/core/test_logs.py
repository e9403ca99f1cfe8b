"""Log lines: text or JSON, one line per record for any text of a client, and only if configured."""

import json
import logging
from collections.abc import Callable, Iterator

import pytest

from tritonocr_backend.core import logs

EVENT = {
    "message": "request",
    "request_id": 'a "b"\nc',
    "status": "ok",
    "pages": 2,
    "stages": {"text_crop": 1},
}


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    handlers = {name: logging.getLogger(name).handlers[:] for name in logs.LOGGERS}
    level = logs.REQUESTS.level

    def with_(log_format: logs.LogFormat, log_requests: bool) -> None:
        for name, value in logs.environment(log_format, log_requests).items():
            monkeypatch.setenv(name, value)
        logs.configure()

    yield with_
    for name, earlier in handlers.items():
        logging.getLogger(name).handlers[:] = earlier
    logs.REQUESTS.setLevel(level)


def test_text_is_a_line_of_fields(configure: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    configure("text", True)
    logs.REQUESTS.info(dict(EVENT))
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(
        r'INFO tritonocr.requests: request request_id="a \"b\"\nc" status=ok pages=2 '
        'stages={"text_crop": 1}'
    )


def test_json_is_an_object_a_line(configure: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    configure("json", True)
    logs.REQUESTS.info(dict(EVENT))
    (line,) = capsys.readouterr().err.splitlines()
    told = json.loads(line)
    assert {name: told[name] for name in EVENT} == EVENT
    assert (told["level"], told["logger"]) == ("INFO", "tritonocr.requests")
    assert told["time"].startswith("20")


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_requests_are_told_of_only_where_asked_for_and_errors_always(
    configure: Callable[..., None], capsys: pytest.CaptureFixture[str], log_format: logs.LogFormat
) -> None:
    configure(log_format, False)
    logs.REQUESTS.info(dict(EVENT))
    try:
        raise LookupError("lost")
    except LookupError:
        logging.getLogger("tritonocr_backend.any").exception("a request failed")
    told = capsys.readouterr().err
    assert "request_id" not in told
    assert "a request failed" in told
    assert "LookupError: lost" in told
    assert len(told.splitlines()) == 1 or log_format == "text"
