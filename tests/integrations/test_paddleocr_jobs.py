"""PaddleOCR 3's own job client against the gateway's job API."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from environments import Environment
from PIL import Image
from running_gateway import running

from tritonocr_backend.server.embedded import EmbeddedServer
from tritonocr_gateway import Settings, create_app

PROGRAM = Path(__file__).with_name("paddleocr_client.py")
HTTP_CLIENTS = (
    *("requests", "urllib3", "idna", "certifi", "charset-normalizer"),
    *("aiohttp", "aiohappyeyeballs", "aiosignal", "attrs", "frozenlist", "multidict", "propcache", "yarl"),
)


@pytest.fixture(scope="module")
def python(environment: Environment) -> Path:
    """Return the Python of an environment with PaddleOCR's client modules, without PaddleX."""
    return environment("paddleocr", "--no-deps", "paddleocr>=3.7,<4", *HTTP_CLIENTS) / "python"


@pytest.mark.parametrize(("key", "works"), [("secret", True), ("wrong", False)])
def test_a_job_returns_lines_and_markdown(
    python: Path, server: EmbeddedServer, page: Image.Image, tmp_path: Path, key: str, works: bool
) -> None:
    path = tmp_path / "page.png"
    page.save(path)
    settings = Settings(url=server.grpc_url, api_keys="secret", jobs_directory=tmp_path / "jobs")
    with running(create_app(settings)) as url:
        command = [str(python), str(PROGRAM), key, url, str(path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if not works:
        assert "AuthError" in done.stderr
        return
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert len(found["texts"]) > 1
    assert found["markdown"].strip()
