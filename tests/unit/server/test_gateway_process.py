"""The gateway beside a server: it is restarted alone, and clients are not refused meanwhile."""

from __future__ import annotations

import logging
import os
import signal
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tritonocr_backend.server import gateway_process
from tritonocr_backend.server.gateway_process import GatewayProcess
from tritonocr_backend.server.ports import bound


@pytest.fixture
def gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GatewayProcess]:
    """A gateway without a server behind it."""
    for name in ("PROBE_EVERY_S", "PROBE_TIMEOUT_S"):
        monkeypatch.setattr(gateway_process, name, 1.0)
    arguments = ["--url", "127.0.0.1:1", "--jobs-directory", str(tmp_path)]
    running = GatewayProcess(
        bound("gateway_port", "127.0.0.1", 0), arguments, is_encrypted=False, ready_timeout_s=60
    )
    running.start()
    yield running
    running.stop()


def metrics(gateway: GatewayProcess) -> str:
    """The metrics; the connection waits for a gateway that restarts."""
    with urllib.request.urlopen(f"{gateway.url}/metrics", timeout=60) as answer:
        return str(answer.read().decode())


def gateway_pid() -> int:
    [found] = [child for child in psutil.Process().children() if "gateway" in child.cmdline()]
    return found.pid


@pytest.mark.parametrize(
    ("number", "reason", "sentence"),
    [
        (signal.SIGKILL, "died", "the gateway died (SIGKILL); restarting it. The server continues."),
        (signal.SIGSTOP, "hung", "the gateway does not answer; restarting it. The server continues."),
    ],
)
def test_a_gateway_is_restarted_and_no_connection_is_refused(
    gateway: GatewayProcess,
    caplog: pytest.LogCaptureFixture,
    number: int,
    reason: str,
    sentence: str,
) -> None:
    assert f'tritonocr_gateway_restarts_total{{reason="{reason}"}} 0.0' in metrics(gateway)
    before = gateway_pid()
    with caplog.at_level(logging.WARNING):
        os.kill(before, number)
        assert _eventually(lambda: f'restarts_total{{reason="{reason}"}} 1.0' in metrics(gateway))
    assert gateway_pid() != before
    assert caplog.messages[0] == sentence


def _eventually(condition: Callable[[], bool]) -> bool:
    """A request to the gateway that was killed is reset; the next one waits for the new gateway."""
    for _ in range(3):
        try:
            if condition():
                return True
        except ConnectionError:
            continue
    return False


def test_a_gateway_that_does_not_start_is_an_error(tmp_path: Path) -> None:
    running = GatewayProcess(
        bound("gateway_port", "127.0.0.1", 0), ["--max-pages", "0"], is_encrypted=False, ready_timeout_s=60
    )
    with pytest.raises(gateway_process.ServerError, match="did not start"):
        running.start()
    running.stop()
