"""Requests of Umi-OCR's documents, and rapidocr_api's own server beside ours."""

from __future__ import annotations

import base64
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from environments import Environment
from running_gateway import free_port

from tritonocr._demo import DEMO_LINES

HEADERS = {"Authorization": "Bearer secret"}
LINES = ["".join(line.text.split()) for line in DEMO_LINES if not line.angle]


def missing(text: str) -> list[str]:
    """Return the lines of the demo page that a text lacks."""
    return [line for line in LINES if line not in "".join(text.split())]


def umi(url: str, picture: Path, options: dict[str, Any]) -> Any:
    body = {"base64": base64.b64encode(picture.read_bytes()).decode(), "options": options}
    return requests.post(f"{url}/api/ocr", json=body, headers=HEADERS, timeout=60).json()


def test_umi_ocr_s_example_is_answered(gateway_url: str, picture: Path) -> None:
    options = {
        "ocr.language": "models/config_chinese.txt",
        "ocr.cls": True,
        "ocr.limit_side_len": 4320,
        "tbpu.parser": "multi_none",
        "data.format": "text",
        "tbpu.ignoreArea": [[[0, 0], [1, 1]]],
    }
    answer = umi(gateway_url, picture, options)
    assert answer["code"] == 100, answer
    assert missing(answer["data"]) == []


@pytest.mark.parametrize("language", ["klingon", "models/config_klingon.txt", "models/config_korean.txt"])
def test_umi_ocr_learns_which_language_is_not_served(gateway_url: str, picture: Path, language: str) -> None:
    answer = umi(gateway_url, picture, {"ocr.language": language})
    assert answer["code"] == 901
    assert ("klingon" if "klingon" in language else "korean") in answer["data"]


@pytest.fixture(scope="module")
def rapidocr_url(environment: Environment) -> Iterator[str]:
    """Return the address of rapidocr_api's own server, with the models of its package."""
    folder = environment("rapidocr", "rapidocr_api>=0.2,<1", "onnxruntime", "opencv-python-headless")
    port = free_port()
    process = subprocess.Popen([str(folder / "rapidocr_api"), "-ip", "127.0.0.1", "-p", str(port)])
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 120
        while True:
            try:
                requests.get(url, timeout=5)
                break
            except requests.ConnectionError:
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.2)
        yield url
    finally:
        process.terminate()
        process.wait(30)


@pytest.mark.parametrize("form", ["file", "base64"])
def test_rapidocr_s_own_server_answers_the_same(
    rapidocr_url: str, gateway_url: str, picture: Path, form: str
) -> None:
    content = picture.read_bytes()
    arguments: dict[str, Any] = (
        {"files": {"image_file": content}}
        if form == "file"
        else {"data": {"image_data": base64.b64encode(content).decode()}}
    )
    theirs = requests.post(f"{rapidocr_url}/ocr", timeout=120, **arguments).json()
    ours = requests.post(f"{gateway_url}/rapidocr/ocr", headers=HEADERS, timeout=120, **arguments).json()
    assert list(ours) == [str(index) for index in range(len(ours))]
    assert {tuple(line) for line in ours.values()} == {tuple(line) for line in theirs.values()}
    for answer in (theirs, ours):
        assert missing("".join(line["rec_txt"] for line in answer.values())) == []
    assert {shape(line) for line in ours.values()} == {shape(line) for line in theirs.values()}


def shape(line: dict[str, Any]) -> tuple[int, int, type]:
    """Return the numbers of corners and coordinates of a line, and the type of its score."""
    return len(line["dt_boxes"]), len(line["dt_boxes"][0]), type(line["score"])
