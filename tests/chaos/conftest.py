"""Fault tests on real tritonservers: `make chaos`. docs/reliability.md states the effects.

Not part of `make test`: several take tens of seconds, and they want the machine for themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from default_pipeline import Serve, written
from hostile import Service, gateway_of, reads_on

from tritonocr_backend.server.embedded import EmbeddedServer, ServerOptions

HAPPENED = "what happened"


def pytest_addoption(parser: pytest.Parser) -> None:
    """How long the soak takes."""
    parser.addoption("--soak-minutes", type=float, default=2, help="length of the soak test")
    parser.addoption(
        "--soak-pause", type=float, default=0.5, help="its clients' pause between requests, in s"
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder is a fault."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.chaos)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell what happened, beside what was expected."""
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    said = [
        (report.nodeid.partition("tests/chaos/")[2], text)
        for report in reports
        for name, text in getattr(report, "user_properties", ())
        if name == HAPPENED and report.when == "call"
    ]
    if said:
        terminalreporter.section("what happened")
    for test, text in said:
        terminalreporter.write_line(f"{test}\n    {text}")


@pytest.fixture
def happened(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Record the effect of the fault in one line, which appears in the summary."""
    return lambda text: record_property(HAPPENED, text)


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    """Make a server of the default pipeline, not started; its log is `tmp_path/server.log`."""

    def serve_(options: ServerOptions | None = None, **settings: object) -> EmbeddedServer:
        chosen = options or ServerOptions(log_level="info", log_file=tmp_path / "server.log")
        return EmbeddedServer(written(tmp_path, **settings), chosen)

    return serve_


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """A server with the default settings."""
    directory = tmp_path_factory.mktemp("server")
    options = ServerOptions(log_level="info", log_file=directory / "server.log")
    with EmbeddedServer(written(directory), options) as running:
        yield running


@pytest.fixture(scope="module")
def service(server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The server with the default settings, and a gateway; both have read a page."""
    with gateway_of(server, tmp_path_factory.mktemp("gateway")) as running:
        assert reads_on(running)
        yield running
