from collections.abc import Iterator
from pathlib import Path

import pytest
from file_server import FileServer
from hypothesis import settings

# These tests share two cores with whatever else runs; how long one example takes says nothing.
settings.register_profile("shared cores", deadline=None)
settings.load_profile("shared cores")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache for each test."""
    path = tmp_path / "home"
    monkeypatch.setenv("TRITONOCR_HOME", str(path))
    return path


@pytest.fixture
def file_server() -> Iterator[FileServer]:
    server = FileServer()
    yield server
    server.shutdown()
    server.server_close()
