"""PaddleOCR 3's client and command, LangChain's loader and paddleocr-mcp against the gateway."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from environments import Environment
from running_gateway import running

from tritonocr._demo import DEMO_LINES
from tritonocr_backend.server.embedded import EmbeddedServer
from tritonocr_gateway import Settings, create_app

PROGRAMS = Path(__file__).parent
LINES = ["".join(line.text.split()) for line in DEMO_LINES if not line.angle]
"""Lines without their spaces, which the model sets differently around punctuation."""


@pytest.fixture(scope="module")
def bin_folder(environment: Environment) -> Path:
    return environment(
        "paddleocr", "paddleocr>=3.7,<4", "langchain-paddleocr>=0.2,<1", "paddleocr-mcp>=0.8,<1"
    )


def run(bin_folder: Path, program: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [str(bin_folder / "python"), str(PROGRAMS / program), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=240)


def missing(text: str) -> list[str]:
    """Return the lines of the demo page that a text lacks."""
    return [line for line in LINES if line not in "".join(text.split())]


def test_the_sdk_and_langchain_read_a_document(bin_folder: Path, gateway_url: str, scan: Path) -> None:
    done = run(bin_folder, "paddleocr_client.py", "secret", gateway_url, scan)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert (len(found["texts"]), len(found["second"]), len(found["markdown"])) == (2, 1, 2)
    for lines in found["texts"] + found["second"]:
        assert missing("".join(lines)) == []
    for text in found["markdown"] + found["langchain"]:
        assert missing(text) == []


def test_a_wrong_key_is_an_authentication_error(bin_folder: Path, gateway_url: str, scan: Path) -> None:
    done = run(bin_folder, "paddleocr_client.py", "wrong", gateway_url, scan)
    assert done.returncode != 0
    assert "AuthError" in done.stderr


@pytest.mark.parametrize("kind", ["ocr", "doc_parsing"])
def test_the_command_reads_a_document(
    bin_folder: Path, gateway_url: str, scan: Path, tmp_path: Path, kind: str
) -> None:
    output = tmp_path / "result.json"
    options = {
        "--model_type": kind,
        "--file_path": scan,
        "--base_url": gateway_url,
        "--token": "secret",
        "--output": output,
        "--use_doc_unwarping": "False",
    }
    command = [bin_folder / "paddleocr", "api", *(part for option in options.items() for part in option)]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert missing(json.dumps(json.loads(output.read_text()), ensure_ascii=False)) == []


@pytest.mark.parametrize(
    ("model", "tool"),
    [("PP-OCRv6", "ocr"), ("PP-StructureV3", "pp_structurev3"), ("PaddleOCR-VL", "paddleocr_vl")],
)
def test_an_mcp_client_calls_the_tools(
    bin_folder: Path, open_gateway_url: str, picture: Path, model: str, tool: str
) -> None:
    done = run(bin_folder, "paddleocr_mcp_client.py", model, tool, open_gateway_url, picture)
    assert done.returncode == 0, done.stderr
    assert missing(done.stdout) == []


@pytest.fixture(scope="module")
def open_gateway_url(server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of a gateway without keys: paddleocr-mcp sends none to a server of one's own."""
    with running(
        create_app(Settings(url=server.grpc_url, jobs_directory=tmp_path_factory.mktemp("j")))
    ) as url:
        yield url
