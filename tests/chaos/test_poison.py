"""A file that kills processes is rejected, and a process that never returns is restarted; neighbours wait."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from default_pipeline import written
from faults import PLAIN, demo_file, lines, until

from tritonocr import InvalidInputError, OCRClient, demo_page
from tritonocr_backend.server.embedded import EmbeddedServer, ServerOptions
from tritonocr_backend.server.replicas import Replicas, replica_options

HANG_LIMIT_S = 5.0
POISON = """
import os, signal
from tritonocr_backend.triton.ocr import Ocr

class TritonPythonModel(Ocr):
    def _parse(self, triton_request, record):
        request = super()._parse(triton_request, record)
        if record.received_bytes == {size}:
            os.kill(os.getpid(), signal.SIGKILL)
        return request
"""
HANGS_ONCE = """
import pathlib
from tritonocr_backend.triton import stage
stage.HANG_LIMIT_S = {limit_s}

class TritonPythonModel(stage.StageModel):
    def execute(self, requests):
        with self._heartbeat.working():
            flag = pathlib.Path({flag!r})
            while flag.exists():
                pass
        return super().execute(requests)
"""


def test_a_file_that_kills_processes_is_rejected_and_harms_no_other(
    tmp_path: Path, happened: Callable[[str], None]
) -> None:
    page, poison = demo_file(), demo_file() + b"poison"
    repository = written(tmp_path)
    (repository / "ocr" / "1" / "model.py").write_text(POISON.format(size=len(poison)))
    with (
        EmbeddedServer(repository, ServerOptions(log_file=tmp_path / "server.log")) as server,
        OCRClient(server.grpc_url, timeout_s=200) as client,
    ):
        expected = lines(client.ocr(page, **PLAIN))
        began_s = time.monotonic()
        innocent = [client.submit(page, retry=True, **PLAIN) for _ in range(6)]
        killing = client.submit(poison, retry=True, **PLAIN)
        with pytest.raises(InvalidInputError, match="died 2 times while they read this file") as caught:
            killing.result()
        rejected_s = time.monotonic() - began_s
        assert [[text for text, _ in lines(future.result())] for future in innocent] == [
            [text for text, _ in expected]
        ] * 6
        before = server.pid
        with pytest.raises(InvalidInputError, match="died 2 times"):
            client.ocr(poison, **PLAIN)
        assert lines(client.ocr(page, **PLAIN))
        assert server.pid == before
    happened(f"rejected after {rejected_s:.1f} s: {caught.value}; 6 other files were read")


def test_replicas_share_what_they_know_of_a_file(tmp_path: Path, happened: Callable[[str], None]) -> None:
    page, poison = demo_file(), demo_file() + b"poison"
    repository = written(tmp_path)
    (repository / "ocr" / "1" / "model.py").write_text(POISON.format(size=len(poison)))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    options = replica_options(ServerOptions(log_file=tmp_path / "server.log"), 2)
    with (
        Replicas(repository, options, scratch) as replicas,
        OCRClient([server.grpc_url for server in replicas.servers], timeout_s=200) as client,
    ):
        began_s = time.monotonic()
        innocent = [client.submit(page, retry=True, **PLAIN) for _ in range(6)]
        with pytest.raises(InvalidInputError, match="died 2 times while they read this file"):
            client.ocr(poison, retry=True, **PLAIN)
        rejected_s = time.monotonic() - began_s
        texts = [[text for text, _ in lines(future.result())] for future in innocent]
        deaths = sum(sum(server._restarts.values()) for server in replicas.servers)
    happened(
        f"rejected after {rejected_s:.1f} s and {deaths} restarts of two replicas; 6 other files were read"
    )
    assert texts == texts[:1] * 6
    assert deaths == 2


def test_a_process_that_never_returns_is_restarted(
    tmp_path: Path, happened: Callable[[str], None], caplog: pytest.LogCaptureFixture
) -> None:
    flag = tmp_path / "hang"
    repository = written(tmp_path)
    model = HANGS_ONCE.format(limit_s=HANG_LIMIT_S, flag=str(flag))
    (repository / "text_crop" / "1" / "model.py").write_text(model)
    options = ServerOptions(log_file=tmp_path / "server.log")
    with EmbeddedServer(repository, options) as server, OCRClient(server.grpc_url, timeout_s=200) as client:
        before = server.pid
        flag.touch()
        began_s = time.monotonic()
        with caplog.at_level(logging.WARNING):
            reading = client.submit(demo_page(), retry=True, **PLAIN)
            until(lambda: "hangs: one request takes more than" in caplog.text, 60, "the hang is noticed")
            flag.unlink()
            assert lines(reading.result())
        assert server.pid != before
    happened(f"read after {time.monotonic() - began_s:.1f} s with a limit of {HANG_LIMIT_S:g} s per request")
