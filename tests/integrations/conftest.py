"""Real third-party clients against a real server: `make test-integrations`.

Each client is installed into an environment of its own in build/integrations, because their requirements
exclude each other. An environment is reused until its requirements change.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from environments import CHECKOUT, ENVIRONMENTS, Environment
from PIL import Image
from running_gateway import running

from tritonocr import demo_page
from tritonocr_backend.core.contracts import ADAPTER_MODELS
from tritonocr_backend.core.settings import DEFAULT_NETWORKS
from tritonocr_backend.repository.build import build_repository
from tritonocr_backend.repository.serving_settings import ServingSettings
from tritonocr_backend.server.embedded import EmbeddedServer, ServerOptions
from tritonocr_backend.zoo.fetch import fetch_model
from tritonocr_gateway import Settings, create_app


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test of this folder."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.integrations)


@pytest.fixture(scope="session")
def environment() -> Environment:
    """Return a function: it installs packages into a named environment and returns its bin folder."""
    return _installed


def _installed(name: str, *requirements: str) -> Path:
    folder = ENVIRONMENTS / name
    stamp, wanted = folder / "requirements", "\n".join(requirements)
    if not stamp.is_file() or stamp.read_text() != wanted:
        uv = str(Path(sys.executable).with_name("uv"))
        subprocess.run([uv, "venv", "--quiet", "--clear", str(folder)], check=True)
        install = [
            uv,
            "pip",
            "install",
            "--quiet",
            "--no-sources",
            "--python",
            str(folder / "bin" / "python"),
        ]
        subprocess.run([*install, *requirements], check=True, cwd=CHECKOUT)
        stamp.write_text(wanted)
    return folder / "bin"


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """Return a running server with the default models and all adapters."""
    directory = tmp_path_factory.mktemp("server")
    models = {name: fetch_model(name) for name in DEFAULT_NETWORKS.values()}
    serving = ServingSettings(adapters=ADAPTER_MODELS)
    repository = build_repository(directory / "repository", models, serving=serving)
    with EmbeddedServer(repository, ServerOptions(log_file=directory / "server.log")) as running:
        yield running


@pytest.fixture(scope="session")
def gateway_url(server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of a gateway with the API key `secret`."""
    jobs = tmp_path_factory.mktemp("jobs")
    with running(create_app(Settings(url=server.grpc_url, api_keys="secret", jobs_directory=jobs))) as url:
        yield url


@pytest.fixture(scope="session")
def scan(page: Image.Image, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the path of a PDF with the demo page twice, without text."""
    path = tmp_path_factory.mktemp("scan") / "scan.pdf"
    page.save(path, resolution=150, save_all=True, append_images=[page])
    return path


@pytest.fixture(scope="session")
def picture(page: Image.Image, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the path of a PNG with the demo page."""
    path = tmp_path_factory.mktemp("picture") / "page.png"
    page.save(path)
    return path


@pytest.fixture(scope="session")
def page() -> Image.Image:
    """Return the drawn demo page."""
    return Image.fromarray(demo_page()[:, :, ::-1])
