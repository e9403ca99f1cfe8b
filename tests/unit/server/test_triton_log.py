"""Tritonserver's lines as JSON: each keeps what it says, and none is lost."""

import json

import pytest

from tritonocr_backend.server.triton_log import to_json


@pytest.mark.parametrize(
    ("line", "told"),
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
            id="a line of Triton's",
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
            id="the head of a table",
        ),
        pytest.param(
            "+-----+ é",
            {"level": "INFO", "logger": "tritonserver", "message": "+-----+ é"},
            id="a row of it",
        ),
        pytest.param('{"level": "INFO", "pages": 2}', {"level": "INFO", "pages": 2}, id="our models' own"),
    ],
)
def test_a_line_becomes_json(line: str, told: dict[str, str]) -> None:
    assert json.loads(to_json(line)) == told
