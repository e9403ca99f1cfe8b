"""Test the conversion of tritonserver's log lines to JSON."""

import io
import json
import os
import time
from pathlib import Path
from typing import Literal

import pytest

from tritonocr_backend.server import triton_log
from tritonocr_backend.server.triton_log import to_json

AT_EACH_START = b"""\
W1130 23:01:27.960769 30030 pinned_memory_manager.cc:273] "Unable to allocate pinned system memory, pinned"
E1130 23:01:27.960916 30030 server.cc:241] "CudaDriverHelper has not been initialized."
I1130 23:01:27.960916 30030 cuda_memory_manager.cc:117] "CUDA memory pool disabled"
Error: Failed to initialize NVML
2026-11-30T23:01:34Z W 30449 metrics.cc:798] "DCGM unable to start: DCGM initialization error"
"""
OTHERS = b"""\
E1130 23:01:28.000000 30030 model.cc:1] "unable to load 'ocr'"
the model prints: Error: Failed to initialize NVML
CUDA memory pool disabled, says a page
no newline at the end \xff"""


@pytest.mark.parametrize("has_gpu", [False, True])
def test_lines_about_a_missing_gpu_are_hidden_where_there_is_none(
    monkeypatch: pytest.MonkeyPatch, has_gpu: bool
) -> None:
    monkeypatch.setattr(triton_log, "has_nvidia_gpu", lambda: has_gpu)
    target = io.BytesIO()
    triton_log.relay(io.BytesIO(AT_EACH_START + OTHERS), target, "text").join(5)
    assert target.getvalue() == (AT_EACH_START if has_gpu else b"") + OTHERS


def test_a_line_is_written_before_the_next_one_comes() -> None:
    reader, writer = os.pipe()
    target = io.BytesIO()
    thread = triton_log.relay(os.fdopen(reader, "rb"), target, "text")
    os.write(writer, b"first\nsecond without end")
    deadline = time.monotonic() + 10
    while target.getvalue() != b"first\n" and time.monotonic() < deadline:
        time.sleep(0.01)
    assert target.getvalue() == b"first\n"
    os.close(writer)
    thread.join(10)
    assert target.getvalue() == b"first\nsecond without end"


def test_the_server_is_read_to_its_end_although_nobody_reads_us() -> None:
    reader, writer = os.pipe()
    closed_reader, target = os.pipe()
    os.close(closed_reader)
    with os.fdopen(target, "wb", buffering=0) as broken:
        thread = triton_log.relay(os.fdopen(reader, "rb"), broken, "text")
        os.write(writer, b"line\n" * 3)
        os.close(writer)
        thread.join(10)
    assert not thread.is_alive()


@pytest.mark.parametrize("name", ["nvidia0", "nvidiactl", "nvhost-gpu", "dxg"])
def test_a_gpu_is_known_by_its_device_file(tmp_path: Path, name: str) -> None:
    assert not triton_log.has_nvidia_gpu(tmp_path)
    (tmp_path / name).touch()
    assert triton_log.has_nvidia_gpu(tmp_path)


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


@pytest.mark.parametrize(
    ("log_format", "expected"),
    [
        ("text", b'[replica 2] a line\n[replica 2] {"a": 1}\n[replica 2] {x\n'),
        ("json", None),
    ],
)
def test_each_line_names_its_replica(log_format: Literal["text", "json"], expected: bytes | None) -> None:
    target = io.BytesIO()
    triton_log.relay(io.BytesIO(b'a line\n{"a": 1}\n{x\n'), target, log_format, "replica 2").join(5)
    if expected is not None:
        assert target.getvalue() == expected
        return
    first, second, third = target.getvalue().splitlines()
    assert json.loads(first)["replica"] == "replica 2"
    assert json.loads(second) == {"a": 1, "replica": "replica 2"}
    assert third == b"{x"
