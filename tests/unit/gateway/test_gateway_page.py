"""The files of the web page: no other hosts, and only the needed permissions."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from PIL import Image

from tritonocr import OPTIONS
from tritonocr_gateway.routers.page import STATIC

FILES = sorted(path for path in STATIC.rglob("*") if path.is_file())
NAMESPACE = "http://www.w3.org/2000/svg"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_file_names_another_site(path: Any) -> None:
    text = path.read_text(encoding="utf-8").replace(NAMESPACE, "")
    assert not re.search(r"https?://|@import|//\w+\.\w", text)


@pytest.mark.parametrize(
    "path", [path for path in FILES if path.suffix == ".html"], ids=lambda path: path.name
)
def test_no_html_has_scripts_or_styles_in_it(path: Any) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"<style|style=|\son\w+=|<script(?![^>]*\ssrc=)", text)


@pytest.mark.parametrize("path", [path for path in FILES if path.suffix == ".js"], ids=lambda path: path.name)
def test_no_script_makes_html_or_code_of_text(path: Any) -> None:
    """The text of a page and the name of its file come from an untrusted person."""
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", text)


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_browsers_are_told_to_be_strict(serve: Any, path: str) -> None:
    headers = serve().get(path).headers
    policy = dict(directive.split(" ", 1) for directive in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/", "text/html"),
        ("/static/main.js", "javascript"),
        ("/static/page.css", "text/css"),
        ("/static/icon.svg", "image/svg+xml"),
        ("/swagger/swagger-ui-bundle.js", "javascript"),
        ("/sample.png", "image/png"),
    ],
)
def test_its_files_are_served(serve: Any, path: str, media_type: str) -> None:
    answer = serve().get(path)
    assert answer.status_code == 200
    assert media_type in answer.headers["content-type"]


@pytest.mark.parametrize("path", ["/static/nope.js", "/static/../settings.py", "/static/%2e%2e/settings.py"])
def test_nothing_else_is_served(serve: Any, path: str) -> None:
    answer = serve().get(path)
    assert (answer.status_code, answer.json()["errorCode"]) == (404, 404)


def test_the_sample_is_a_picture(serve: Any) -> None:
    assert Image.open(io.BytesIO(serve().get("/sample.png").content)).format == "PNG"


def test_options_are_described_with_the_servers_values(serve: Any) -> None:
    options = serve().get("/options").json()
    assert list(options) == [option.rest_key for option in OPTIONS.values() if option.rest_key]
    values = {name: option["value"] for name, option in options.items()}
    assert (values["textDetLimitSideLen"], values["useDocUnwarping"], values["maxPages"]) == (960, True, 10)
    assert values["textRecognitionModelName"] is None
    assert options["textDetThresh"] == {
        "value": 0.3,
        "type": "float",
        "title": "Pixel threshold",
        "group": "Detection",
        "description": OPTIONS["text_det_thresh"].help,
        "minimum": 0,
        "maximum": 1,
        "choices": [],
    }
    assert options["textDetLimitType"]["choices"] == ["max", "min"]


def test_the_gateways_own_limit_of_pages_is_the_value_in_force(serve: Any) -> None:
    assert serve(max_pages=20).get("/options").json()["maxPages"]["value"] == 20
