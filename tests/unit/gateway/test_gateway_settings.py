"""Settings: declared once, shown by the command line and the docs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from pydantic import ValidationError
from running_gateway import free_port
from typer import Typer
from typer.testing import CliRunner

from tritonocr_gateway import Settings
from tritonocr_gateway.cli import gateway
from tritonocr_gateway.errors import ERROR_MAPPINGS
from tritonocr_gateway.schemas import OCRRequest, OCRResults, PageResult
from tritonocr_gateway.service import triton_headers
from tritonocr_gateway.settings import ENV_PREFIX

DOCS = (Path(__file__).parents[3] / "docs" / "rest.md").read_text(encoding="utf-8")
LIMITS = ("max_body_bytes", "max_concurrent_requests", "timeout_s", "upload_timeout_s", "max_pages")


def _run(*arguments: str) -> tuple[int, str]:
    app = Typer()
    app.command()(gateway)
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": "250", "TERM": "dumb"})
    return result.exit_code, result.output


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_described_on_the_command_line_and_in_the_docs(name: str) -> None:
    description = Settings.model_fields[name].description
    assert description
    assert f"--{name.replace('_', '-')}" in _run("--help")[1]
    assert f"| `{name}` |" in DOCS
    assert description in DOCS


def test_every_field_is_in_the_docs() -> None:
    fields = OCRRequest.model_json_schema(by_alias=True)["properties"]
    rows = dict(
        re.findall(r"^\| `(\w+)` \|(?: [^|]* \|)* ([^|]+) \|$", DOCS.partition("## Errors")[0], re.MULTILINE)
    )
    assert {name: rows.get(name) for name in fields} == {
        name: found["description"] for name, found in fields.items()
    }


def test_every_field_of_an_answer_is_in_the_docs() -> None:
    for model in (PageResult, OCRResults):
        for name in model.model_json_schema(by_alias=True)["properties"]:
            assert f"{name}` |" in DOCS, name


@pytest.mark.parametrize("status", sorted({answer.status for answer in ERROR_MAPPINGS.values()} | {400}))
def test_every_status_is_in_the_docs(status: int) -> None:
    assert f"| {status} | " in DOCS


def test_the_environment_sets_what_the_command_line_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{ENV_PREFIX}MAX_PAGES", "7")
    monkeypatch.setenv(f"{ENV_PREFIX}API_KEYS", "a, b,")
    settings = Settings(timeout_s=3)
    assert (settings.max_pages, settings.timeout_s) == (7, 3)
    assert [key.get_secret_value() for key in settings.api_keys] == ["a", "b"]
    assert "a" not in repr(settings.api_keys).replace("SecretStr", "")


@pytest.mark.parametrize("name", LIMITS)
def test_a_limit_has_a_range(name: str) -> None:
    with pytest.raises(ValidationError):
        Settings(**{name: 0})
    with pytest.raises(ValidationError):
        Settings(**{name: 10**12})


def test_a_value_out_of_range_is_named() -> None:
    code, output = _run("--max-pages", "0")
    assert code == 2
    assert "max_pages is 0" in output


@pytest.mark.parametrize(
    ("option", "expected"), [("--jobs-database", "postgresql://"), ("--webhook-secret", "whsec_")]
)
def test_a_wrong_secret_is_not_printed(option: str, expected: str) -> None:
    code, output = _run(option, "hunter2")
    assert code == 2
    assert expected in output
    assert "hunter2" not in output


def test_without_its_packages_the_command_says_what_to_install() -> None:
    code = "import sys; sys.modules['fastapi'] = None; from tritonocr.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code, "gateway"], capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert "needs the package 'fastapi': pip install \"tritonocr[gateway]\"" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_command_serves_with_its_options() -> None:
    port = free_port()
    command = [sys.executable, "-m", "tritonocr", "gateway", "--url", f"127.0.0.1:{free_port()}"]
    environment = {**os.environ, f"{ENV_PREFIX}API_KEYS": "secret"}
    process = subprocess.Popen([*command, "--port", str(port)], env=environment, stderr=subprocess.PIPE)
    try:
        assert process.stderr
        for line in process.stderr:
            if b"listens on" in line:
                break
        url = f"http://127.0.0.1:{port}"
        assert httpx.get(f"{url}/health").status_code == 200
        assert httpx.get(f"{url}/health/ready").status_code == 503, "there is no Triton"
        assert httpx.post(f"{url}/ocr", json={}).status_code == 401, "the environment's key is not asked for"
    finally:
        process.terminate()
        process.communicate(timeout=30)


def test_the_gateway_sends_a_header_to_triton() -> None:
    assert triton_headers(Settings(triton_header="tritonocr-key: a secret")) == {"tritonocr-key": "a secret"}
    assert triton_headers(Settings()) == {}


@pytest.mark.parametrize("header", ["name", "name:", ": value"])
def test_a_header_needs_a_name_and_a_value(header: str) -> None:
    with pytest.raises(ValueError, match="expected NAME: VALUE"):
        Settings(triton_header=header)
