"""Test the conversion of tritonserver's log lines to JSON."""

import json

import pytest

from tritonocr_backend.server.triton_log import to_json


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param(
            '2026-11-22T19:56:06Z W 10895 metrics.cc:798] "no \\"DCGM\\"\\n"',
            {
                "time": "2026-11-22T19:56:06Z",
                "level": "WARNING",
                "logger": "tritonserver",
                "source": "metrics.cc:798",
                "message": 'no "DCGM"\n',
            },
            id="a log line of Triton",
        ),
        pytest.param(
            "2026-11-22T19:56:06Z E 1 server.cc:604] ",
            {
                "time": "2026-11-22T19:56:06Z",
                "level": "ERROR",
                "logger": "tritonserver",
                "source": "server.cc:604",
                "message": "",
            },
            id="an empty message before a table",
        ),
        pytest.param(
            "+-----+ é",
            {"level": "INFO", "logger": "tritonserver", "message": "+-----+ é"},
            id="a row of a table",
        ),
        pytest.param(
            '{"level": "INFO", "pages": 2}', {"level": "INFO", "pages": 2}, id="a JSON line of a model"
        ),
    ],
)
def test_line_is_converted_to_json(line: str, expected: dict[str, str]) -> None:
    assert json.loads(to_json(line)) == expected
