"""Docling's remote OCR (KServe v2) against the model docling_ocr."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from environments import Environment
from PIL import Image

from tritonocr._demo import DEMO_LINES
from tritonocr_backend.server.embedded import EmbeddedServer

PROGRAM = Path(__file__).with_name("docling_client.py")
CONVERSION = PROGRAM.with_name("docling_conversion.py")


@pytest.fixture(scope="module")
def python(environment: Environment) -> Path:
    return (
        environment("docling", "docling-slim[models-remote,format-pdf,convert-core]>=2.140,<3", "pillow")
        / "python"
    )


def cells(python: Path, server: EmbeddedServer, transport: str, language: str, path: Path) -> Any:
    url = {"grpc": server.grpc_url, "http": f"http://{server.http_url}"}[transport]
    command = [str(python), str(PROGRAM), transport, url, language, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("transport", ["grpc", "http"])
def test_a_page_becomes_text_cells(
    python: Path, server: EmbeddedServer, page: Image.Image, tmp_path: Path, transport: str
) -> None:
    path = tmp_path / "page.png"
    page.save(path)
    found = {
        "".join(cell["text"].split()): cell["box"]
        for cell in cells(python, server, transport, "chinese", path)
    }
    for line in DEMO_LINES:
        if line.angle == 0:
            left, top, _, _ = found["".join(line.text.split())]
            assert abs(left - line.x) < line.size_px, "boxes are in pixels of the picture"
            assert abs(top - line.y) < line.size_px


@pytest.mark.parametrize("transport", ["grpc", "http"])
def test_a_pdf_is_converted(python: Path, server: EmbeddedServer, scan: Path, transport: str) -> None:
    url = {"grpc": server.grpc_url, "http": f"http://{server.http_url}"}[transport]
    command = [str(python), str(CONVERSION), transport, url, str(scan)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    markdown = "".join(done.stdout.split())
    for line in DEMO_LINES:
        if line.angle == 0:
            assert markdown.count("".join(line.text.split())) == 2, "the line is on both pages"


@pytest.mark.parametrize("transport", ["grpc", "http"])
def test_a_picture_without_text_has_no_cells(
    python: Path, server: EmbeddedServer, tmp_path: Path, transport: str
) -> None:
    path = tmp_path / "empty.png"
    Image.new("RGB", (300, 200), "white").save(path)
    assert cells(python, server, transport, "english", path) == []


def test_a_language_that_is_not_served_is_named(
    python: Path, server: EmbeddedServer, page: Image.Image, tmp_path: Path
) -> None:
    path = tmp_path / "page.png"
    page.save(path)
    command = [str(python), str(PROGRAM), "grpc", server.grpc_url, "klingon", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert "klingon" in done.stderr
    assert "which no served model reads" in done.stderr
