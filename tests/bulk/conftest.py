"""Fixtures for bulk reading: a real server, and pages whose text contains their number.

Not part of `make test`, since it wants Ray: `make test-ray` installs that and runs these.
"""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from tritonocr_backend.repository import pipeline_config
from tritonocr_backend.repository.prepare import prepare_repository
from tritonocr_backend.server.embedded import EmbeddedServer, ServerOptions

OFF = ("use_doc_orientation_classify", "use_doc_unwarping", "use_textline_orientation")

Start = Callable[..., "subprocess.Popen[str]"]


# They cannot be imported without it.
collect_ignore_glob = [] if importlib.util.find_spec("pyarrow") else ["test_*.py"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder needs Ray."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.ray)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """A server with the default settings."""
    directory = tmp_path_factory.mktemp("server")
    repository = prepare_repository(directory / "repository", pipeline_config.default())
    with EmbeddedServer(repository, ServerOptions(log_file=directory / "server.log")) as running:
        yield running


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    """A directory of 30 pages, 100.png to 129.png, with the number on each."""
    directory = tmp_path / "pages"
    directory.mkdir()
    for number in range(100, 130):
        draw_page(directory / f"{number}.png", number)
    return directory


def draw_page(path: Path, number: int) -> None:
    """Write a picture that says `number 17`."""
    page = np.full((320, 480, 3), 255, np.uint8)
    cv2.putText(page, f"number {number}", (40, 160), cv2.FONT_HERSHEY_SIMPLEX, 1.5, (0, 0, 0), 3)
    path.write_bytes(cv2.imencode(".png", page)[1].tobytes())


@pytest.fixture
def start() -> Iterator[Start]:
    """Start `tritonocr bulk` in its own process, on a Ray cluster of two CPUs that ends with the process."""
    started: list[subprocess.Popen[str]] = []

    def run(*arguments: object) -> "subprocess.Popen[str]":
        options = [part for name in OFF for part in ("--option", f"{name}=False")]
        command = [sys.executable, "-m", "tritonocr", "bulk", *map(str, arguments), *options]
        # Whatever cluster this machine may belong to is left alone.
        environment = {**os.environ, "RAY_ADDRESS": "local", "RAY_DEDUP_LOGS": "0"}
        process = subprocess.Popen(
            command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()
