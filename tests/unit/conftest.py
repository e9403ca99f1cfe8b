"""Fixtures of the unit tests: Triton API, empty model cache, file server and default networks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pb_utils_stand_in
import pytest
from file_server import FileServer
from hypothesis import settings

from tritonocr_backend.core.settings import DEFAULT_NETWORKS
from tritonocr_backend.repository.build import build_repository
from tritonocr_backend.repository.serving_settings import ServingSettings
from tritonocr_backend.zoo.fetch import fetch_model

pb_utils_stand_in.install()

# The tests share two cores with other processes, so the duration of one example means nothing.
settings.register_profile("shared cores", deadline=None)
settings.load_profile("shared cores")


@pytest.fixture(scope="session")
def default_repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a model repository with the default networks in f32."""
    models = {name: fetch_model(name) for name in DEFAULT_NETWORKS.values()}
    target = tmp_path_factory.mktemp("default") / "repository"
    return build_repository(target, models, serving=ServingSettings(precision="f32"))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Point the model cache at an empty folder."""
    path = tmp_path / "home"
    monkeypatch.setenv("TRITONOCR_HOME", str(path))
    return path


@pytest.fixture
def file_server() -> Iterator[FileServer]:
    """Serve files over HTTP on a free port."""
    server = FileServer()
    yield server
    server.shutdown()
    server.server_close()
