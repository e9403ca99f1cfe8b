"""Reading the options of a running tritonserver from its command line."""

from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest

from tritonocr_backend.core.errors import ServerError
from tritonocr_backend.server.local_server import find_local_server, local_server, parse_command_line
from tritonocr_backend.server.restrictions import admin_key_of
from tritonocr_backend.server.server_options import Ports, ServerOptions, arguments

KEY = "a-key-of-the-tests"


class Process(NamedTuple):
    info: dict[str, Any]


def command_line(**options: Any) -> list[str]:
    ours = arguments(ServerOptions(**options), Path("/models"), Ports(1, 2, 3), Path("/backends"), "prefix")
    return ["/opt/tritonserver", *ours]


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> list[Process]:
    running: list[Process] = []
    monkeypatch.setattr(psutil, "process_iter", lambda _: iter(running))
    return running


def test_what_the_server_options_write_is_read_back(processes: list[Process]) -> None:
    processes.append(Process({"name": "bash", "cmdline": command_line()}))
    processes.append(Process({"name": "tritonserver", "cmdline": None}))
    processes.append(Process({"name": "tritonserver", "cmdline": command_line(admin_key=KEY)}))
    found = local_server("localhost:2")
    assert found.process is processes[2]
    assert found.repository == Path("/models")
    assert found.metrics_url == "http://127.0.0.1:3/metrics"
    assert found.admin_key == KEY


@pytest.mark.parametrize("url", ["localhost:3", "example.com:2"])
def test_a_server_of_another_port_or_machine_is_not_found(processes: list[Process], url: str) -> None:
    processes.append(Process({"name": "tritonserver", "cmdline": command_line()}))
    assert find_local_server(url) is None
    with pytest.raises(ServerError, match=f"no tritonserver for {url} runs on this machine"):
        local_server(url)


def test_options_of_a_server_that_others_started_may_be_two_words_or_missing() -> None:
    options = parse_command_line(["tritonserver", "--model-repository", "/a", "--model-store=/b", "--x=1"])
    assert options.model_repository == ["/a", "/b"]
    assert (options.grpc_port, options.metrics_port) == (8001, 8002)
    assert admin_key_of(options.http_restricted_api) is None


def test_a_restriction_with_a_header_of_another_operator_has_no_key_of_ours() -> None:
    assert admin_key_of(["trace:their-header=their-key"]) is None
