"""Test `tritonocr models` and `tritonocr config` without a server."""

import json
from pathlib import Path

import networks
import pytest
from typer import Typer
from typer.testing import CliRunner

from tritonocr_backend.cli.config import config
from tritonocr_backend.cli.models import app
from tritonocr_backend.core.contracts import Role
from tritonocr_backend.repository import pipeline_config
from tritonocr_backend.zoo import registry

pytestmark = pytest.mark.usefixtures("home")

NO_SERVER = ["--url", "127.0.0.1:9"]


@pytest.fixture
def own_model(tmp_path: Path) -> Path:
    """Return a model directory in PaddleX's layout."""
    path = tmp_path / "own"
    path.mkdir()
    (path / "inference.yml").write_bytes(networks.inference_yml(Role.TEXT_RECOGNITION, "tuned", "abc"))
    (path / "inference.onnx").write_bytes(networks.recognition(5))
    return path


def _run(*arguments: object, status: int = 0) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == status, result.output
    return result.output


def test_the_list_contains_every_model_with_its_licence_and_source() -> None:
    table = _run("list", *NO_SERVER)
    for model in registry.official():
        row = next(line for line in table.splitlines() if f" {model.name} " in line)
        assert f" {model.role.value} " in row
        assert f" {model.licence} " in row
    assert "rapidocr-onnxruntime 1.4.4" in table


@pytest.mark.parametrize(
    ("name", "is_tested"),
    [("PP-OCRv6_medium_rec", False), ("PP-OCRv5_server_det", False), ("PP-OCRv6_small_rec", True)],
)
def test_a_model_from_an_archive_alone_is_marked(name: str, is_tested: bool) -> None:
    (row,) = [line for line in _run("list").splitlines() if f" {name} " in line]
    assert ("not tested" in row) != is_tested


def test_a_narrow_terminal_shows_complete_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich then treats the output as a terminal
    monkeypatch.setenv("COLUMNS", "80")
    table = _run("list", *NO_SERVER)
    assert all(model.name in table for model in registry.official())
    assert "--json" in table


def test_the_json_list_contains_the_fetched_formats_and_no_served_state(own_model: Path) -> None:
    _run("import", own_model, "--name", "mine")
    listed = {model["name"]: model for model in json.loads(_run("list", "--json", *NO_SERVER))}
    assert len(listed) == len(registry.official()) + 1
    assert listed["mine"]["fetched"] == ["onnx"]
    assert listed["mine"]["sources"] == [str(own_model)]
    assert listed["PP-OCRv4_server_det"]["accuracy"] == {"metric": "hmean_percent", "value": 82.56}
    assert listed["PP-OCRv4_server_det"]["fetched"] == []
    assert listed["PP-OCRv4_server_det"]["served"] is None
    assert listed["UVDoc"]["licence"] == "MIT"


def test_fetch_prints_the_folder_of_a_cached_model(own_model: Path, home: Path) -> None:
    _run("import", own_model, "--name", "mine")
    assert _run("fetch", "mine") == f"mine: {home}/models/mine/onnx\n"


def test_fetch_continues_after_a_failed_model(own_model: Path) -> None:
    _run("import", own_model, "--name", "mine")
    output = _run("fetch", "PP-OCRv9", "mine", status=1)
    assert "tritonocr: unknown model 'PP-OCRv9'; the known models are: " in output
    assert "mine: " in output


@pytest.mark.parametrize(
    "arguments", [["fetch"], ["fetch", "UVDoc", "--all"], ["fetch", "--default", "--all"]], ids=" ".join
)
def test_fetch_requires_either_names_or_all(arguments: list[str]) -> None:
    assert "give names, --default, --presets, --all, or --tritonserver" in _run(*arguments, status=2)


def test_fetch_tritonserver_needs_no_model_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRITONOCR_OFFLINE", "1")
    output = _run("fetch", "--tritonserver", status=1)
    assert output.startswith("tritonocr: tritonserver could not be fetched")


def test_fetch_default_fetches_each_model_of_the_pipeline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRITONOCR_OFFLINE", "1")
    output = _run("fetch", "--default", "PP-OCRv6_tiny_rec", status=1)
    for name in [*pipeline_config.default().networks.values(), "PP-OCRv6_tiny_rec"]:
        assert f"{name} could not be fetched" in output


def test_import_prints_the_role_and_the_next_command(own_model: Path) -> None:
    output = _run("import", own_model, "--name", "mine")
    assert output.startswith("mine: imported as text_recognition model")
    assert "tritonocr models add mine" in output


def test_a_rejected_import_prints_one_sentence(own_model: Path) -> None:
    (own_model / "inference.onnx").write_bytes(networks.recognition(9))
    output = _run("import", own_model, "--name", "mine", status=1)
    assert output == (
        "tritonocr: a dictionary of 3 lines needs 5 classes (with blank and space), the network has 9\n"
    )


def _config(*arguments: str, status: int = 0) -> str:
    command = Typer()
    command.command()(config)
    result = CliRunner().invoke(command, list(arguments))
    assert result.exit_code == status, result.output
    return result.output


def test_config_prints_the_default_pipeline() -> None:
    assert _config() == pipeline_config.default_text()
    assert _config("--get_pipeline_config", "OCR") == pipeline_config.default_text()


def test_config_rejects_other_pipelines() -> None:
    assert "'formula_recognition' is not" in _config("--get_pipeline_config", "formula_recognition", status=2)


@pytest.mark.parametrize(
    ("given", "written"), [("out", "out/OCR.yaml"), ("mine.yaml", "mine.yaml"), ("a/b.yml", "a/b.yml")]
)
def test_config_writes_a_file_as_paddlex_does(given: str, written: str, tmp_path: Path) -> None:
    assert _config("--save_path", str(tmp_path / given)) == f"{tmp_path / written}\n"
    assert (tmp_path / written).read_text() == pipeline_config.default_text()
