"""Open WebUI's loaders, LlamaIndex' reader and LiteParse against a real server."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from environments import ENVIRONMENTS, Environment
from PIL import Image

from tritonocr._demo import DEMO_LINES
from tritonocr_backend.server.embedded import EmbeddedServer

PROGRAMS = Path(__file__).parent
LINES = ["".join(line.text.split()) for line in DEMO_LINES if not line.angle]


def missing(text: str) -> list[str]:
    """Return the lines of the demo page that a text lacks."""
    return [line for line in LINES if line not in "".join(text.split())]


@pytest.fixture(scope="module")
def open_webui(environment: Environment) -> Path:
    """Return the Python of an environment with Open WebUI, without most of its requirements."""
    requests = ("requests", "urllib3", "idna", "certifi", "charset-normalizer")
    return environment("open-webui", "--no-deps", "open-webui>=0.12,<1", *requests) / "python"


@pytest.fixture(scope="module")
def liteparse() -> Path:
    """Return LiteParse's program."""
    if not shutil.which("npm"):
        pytest.skip("needs npm")
    folder = ENVIRONMENTS / "liteparse"
    program = folder / "node_modules" / ".bin" / "lit"
    if not program.exists():
        folder.mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--ignore-scripts", "--prefix", str(folder), "@llamaindex/liteparse@2"]
        subprocess.run(command, check=True, capture_output=True, timeout=240)
    return program


class TestOpenWebUI:
    def read(self, open_webui: Path, key: str, url: str, path: Path) -> dict[str, list[dict[str, object]]]:
        command = [str(open_webui), str(PROGRAMS / "open_webui_client.py"), key, url, str(path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=240)
        assert done.returncode == 0, done.stderr
        found: dict[str, list[dict[str, object]]] = json.loads(done.stdout.splitlines()[-1])
        return found

    def test_both_loaders_read_each_page(self, open_webui: Path, gateway_url: str, scan: Path) -> None:
        found = self.read(open_webui, "secret", gateway_url, scan)
        assert [document["page"] for document in found["external"]] == [1, 2]
        assert [document["source"] for document in found["external"]] == ["scan.pdf"] * 2
        assert [document["page_label"] for document in found["paddleocr_vl"]] == [1, 2]
        for document in found["external"] + found["paddleocr_vl"]:
            assert missing(str(document["text"])) == []

    def test_a_page_without_text_is_understood(
        self, open_webui: Path, gateway_url: str, tmp_path: Path
    ) -> None:
        path = tmp_path / "empty.pdf"
        Image.new("RGB", (600, 800), "white").save(path)
        found = self.read(open_webui, "secret", gateway_url, path)
        (document,) = found["external"]
        assert "422" in str(document["error"])
        assert "No extractable text" in str(document["error"]), "Open WebUI looks for this sentence"
        assert found["paddleocr_vl"][0]["error"] == "no_valid_pages"

    def test_a_wrong_key_is_named(self, open_webui: Path, gateway_url: str, scan: Path) -> None:
        (document,) = self.read(open_webui, "wrong", gateway_url, scan)["external"]
        assert "The API key is missing or wrong" in str(document["error"])


def test_llama_index_reads_pictures_of_a_pdf_with_our_class(
    environment: Environment, server: EmbeddedServer, scan: Path
) -> None:
    requirements = (
        "--overrides",
        "tests/integrations/without_paddle.txt",
        "llama-index-readers-paddle-ocr>=0.3,<1",
    )
    python = environment("llama-index", *requirements, "-e", "./client") / "python"
    command = [str(python), str(PROGRAMS / "llama_index_client.py"), server.grpc_url, str(scan)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    documents = json.loads(done.stdout.splitlines()[-1])
    assert [document["page"] for document in documents] == [1, 2]
    for document in documents:
        assert missing(document["text"]) == []


class TestLiteParse:
    def parse(self, liteparse: Path, scan: Path, url: str, *options: str) -> subprocess.CompletedProcess[str]:
        address = ["--ocr-server-url", f"{url}/liteparse/ocr"]
        command = [str(liteparse), "parse", str(scan), *address, *options]
        return subprocess.run(command, capture_output=True, text=True, timeout=240)

    def test_a_scan_is_parsed(self, liteparse: Path, gateway_url: str, scan: Path) -> None:
        key = ["--ocr-server-header", "Authorization: Bearer secret"]
        done = self.parse(liteparse, scan, gateway_url, *key)
        assert done.returncode == 0, done.stderr
        assert missing(done.stdout) == [], done.stdout

    def test_a_wrong_key_is_named(self, liteparse: Path, gateway_url: str, scan: Path) -> None:
        done = self.parse(liteparse, scan, gateway_url, "--ocr-server-header", "Authorization: Bearer wrong")
        assert missing(done.stdout) == LINES
        assert "401" in done.stderr + done.stdout
