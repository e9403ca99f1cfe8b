"""OCRmyPDF with our plugin, as a user runs it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pypdf
import pypdfium2
import pytest
from environments import Environment
from PIL import Image, ImageDraw, ImageFont

from tritonocr._demo import DEMO_LINES
from tritonocr_backend.server.embedded import EmbeddedServer

STRAIGHT_LINES = ["".join(line.text.split()) for line in DEMO_LINES if not line.angle]
"""Lines without their spaces, which the model and PDF readers set differently around punctuation."""


@pytest.fixture(scope="module")
def ocrmypdf(environment: Environment) -> Path:
    return (
        environment("ocrmypdf", "ocrmypdf>=17,<18", "-e", "./client", "-e", "./client/ocrmypdf") / "ocrmypdf"
    )


@pytest.fixture
def scan(page: Image.Image, tmp_path: Path) -> Path:
    """Return a PDF of two scanned pages without text; the second one lies on its side."""
    path = tmp_path / "scan.pdf"
    turned = page.rotate(90, expand=True)
    page.save(path, resolution=150, save_all=True, append_images=[turned])
    return path


def run(program: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    without = {name: value for name, value in os.environ.items() if name != "TRITONOCR_URL"}
    command = [str(program), "--output-type", "pdf", "--jobs", "2", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=without, timeout=240)


def text_of(page: pypdfium2.PdfPage) -> str:
    return "".join(page.get_textpage().get_text_range().split())


def test_pages_keep_their_picture_and_get_their_text(
    ocrmypdf: Path, scan: Path, server: EmbeddedServer, tmp_path: Path
) -> None:
    result = tmp_path / "result.pdf"
    done = run(ocrmypdf, "--tritonocr-url", server.grpc_url, "--rotate-pages", scan, result)
    assert done.returncode == 0, done.stderr
    with pypdfium2.PdfDocument(result) as document:
        texts = [text_of(page) for page in document]
        sizes = [page.get_size() for page in document]
    assert len(texts) == 2
    for text in texts:
        assert [line for line in STRAIGHT_LINES if line not in text] == []
    assert sizes[0] == pytest.approx(sizes[1], abs=1), "--rotate-pages turns the second page upright"


def test_words_of_upside_down_lines_are_in_order(
    ocrmypdf: Path, server: EmbeddedServer, tmp_path: Path
) -> None:
    page = Image.new("RGB", (1200, 900), "white")
    font = ImageFont.load_default(size=48)
    texts = ["first second third fourth", "one two three four five"]
    for row, text in enumerate(texts):
        line = Image.new("RGB", (900, 90), "white")
        ImageDraw.Draw(line).text((10, 10), text, "black", font)
        page.paste(line.rotate(180) if row else line, (100, 100 + 300 * row))
    scan, result = tmp_path / "scan.pdf", tmp_path / "result.pdf"
    page.save(scan, resolution=150)
    done = run(ocrmypdf, "--tritonocr-url", server.grpc_url, scan, result)
    assert done.returncode == 0, done.stderr
    text = "".join(pypdf.PdfReader(result).pages[0].extract_text().split())  # PDFium sorts by place
    for line in texts:
        assert line.replace(" ", "") in text


def test_the_sidecar_has_the_text_in_reading_order(
    ocrmypdf: Path, scan: Path, server: EmbeddedServer, tmp_path: Path
) -> None:
    sidecar = tmp_path / "text.txt"
    done = run(
        ocrmypdf,
        "--tritonocr-url",
        server.grpc_url,
        "--sidecar",
        sidecar,
        "--pages",
        "1",
        scan,
        tmp_path / "r.pdf",
    )
    assert done.returncode == 0, done.stderr
    text = "".join(sidecar.read_text(encoding="utf-8").split())
    places = [text.find(line) for line in STRAIGHT_LINES]
    assert -1 not in places
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["--tritonocr-url", "127.0.0.1:9"], "127.0.0.1:9", id="no server at the address"),
        pytest.param(["--tritonocr-url", "URL", "-l", "xyz"], "xyz", id="a language that no model reads"),
        pytest.param(["--tritonocr-url", "URL", "-l", "jpn+kor"], "japan, korean", id="two models needed"),
    ],
)
def test_a_wrong_argument_ends_with_a_sentence(
    ocrmypdf: Path, scan: Path, server: EmbeddedServer, tmp_path: Path, arguments: list[str], message: str
) -> None:
    named = [server.grpc_url if argument == "URL" else argument for argument in arguments]
    done = run(ocrmypdf, *named, scan, tmp_path / "result.pdf")
    assert done.returncode != 0
    assert message in done.stderr
    assert "Traceback" not in done.stderr
