"""Real tritonservers for the live suite: a server that cannot start is a failure, never a skip."""

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import bench.accuracy
from tritonocr_backend.core.settings import DEFAULT_NETWORKS
from tritonocr_backend.repository.build import build_repository
from tritonocr_backend.server.embedded import EmbeddedServer, ServerOptions
from tritonocr_backend.zoo.fetch import fetch_model


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder needs a server."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.live)


@pytest.fixture(scope="session")
def default_models() -> dict[str, Path]:
    """The default networks' directories by name, fetched once into the cache."""
    return {name: fetch_model(name) for name in DEFAULT_NETWORKS.values()}


@pytest.fixture(scope="session")
def server(
    default_models: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EmbeddedServer]:
    """A server with the default settings."""
    directory = tmp_path_factory.mktemp("server")
    repository = build_repository(directory / "repository", default_models)
    options = ServerOptions(log_level="info", log_file=directory / "server.log")
    with EmbeddedServer(repository, options) as running:
        yield running


@pytest.fixture(scope="module")
def scorer(corpus: Path) -> ModuleType:
    """The corpus's own scorer, where the corpus is."""
    return bench.accuracy.scorer()
