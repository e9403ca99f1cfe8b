"""Test the presets: their files, `--preset` of each command, and `create_pipeline(preset=…)`."""

from pathlib import Path
from typing import Any, get_args

import pytest
from kserve_fake import answer_with_lines, serving
from typer.testing import CliRunner

import tritonocr
from tritonocr import _pipeline
from tritonocr.cli._app import app
from tritonocr_backend.core.contracts import Role
from tritonocr_backend.repository import pipeline_config
from tritonocr_backend.zoo import registry
from tritonocr_common.presets import PRESETS, Preset, preset_file

MODELS = {
    "paddlex": ("PP-OCRv4_mobile_det", "PP-OCRv4_mobile_rec"),
    "fast": ("PP-OCRv6_tiny_det", "PP-OCRv6_tiny_rec"),
    "accurate": ("PP-OCRv6_small_det", "PP-OCRv6_small_rec"),
}
ROOT = Path(__file__).parents[3]


def _run(*arguments: str, **environment: str) -> str:
    result = CliRunner().invoke(app, list(arguments), env={**environment, "TRITONOCR_OFFLINE": "1"})
    assert result.exit_code != 0
    return result.output


def _unwrapped(output: str) -> str:
    return " ".join(output.replace("│", " ").split())


def test_each_preset_has_a_name_and_a_file() -> None:
    assert (
        set(PRESETS) == set(get_args(Preset)) == {path.stem for path in preset_file("fast").parent.iterdir()}
    )


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_only_chooses_models(name: Preset) -> None:
    config = pipeline_config.load(preset_file(name))
    networks = config.networks[Role.TEXT_DETECTION], config.networks[Role.TEXT_RECOGNITION]
    assert networks == MODELS[name]
    assert config.options.keys() <= {"text_detection_model_name", "text_recognition_model_name"}
    assert not config.warnings
    for network in networks:
        assert registry.find(network).wheels  # an image can be built without PaddleX's archives


def test_the_preset_paddlex_is_the_default_pipeline() -> None:
    assert pipeline_config.load(preset_file("paddlex")).networks == pipeline_config.default().networks


@pytest.mark.parametrize("command", [["serve"], ["repository", "build", "models"], ["tune", "page.png"]])
def test_a_file_beside_a_preset_is_rejected(command: list[str]) -> None:
    given = _run(*command, "--pipeline", "mine.yaml", "--preset", "fast")
    stated = _run(*command, "--pipeline", "mine.yaml", TRITONOCR_PRESET="fast")
    for output in (given, stated):
        assert "both choose the models" in _unwrapped(output)


@pytest.mark.parametrize("command", ["serve", "predict", "tune"])
def test_help_lists_the_presets(command: str) -> None:
    output = _unwrapped(CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"}).output)
    assert all(models.split(",")[0] in output for models in PRESETS.values())


def test_config_prints_a_preset() -> None:
    output = CliRunner().invoke(app, ["config", "--preset", "fast"]).output
    assert output == preset_file("fast").read_text("utf-8")


def test_fetch_takes_the_presets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TRITONOCR_HOME", str(tmp_path))
    output = _run("models", "fetch", "--presets", "--default")
    for name in (*(name for pair in MODELS.values() for name in pair), "UVDoc"):
        assert output.count(f"{name} could not be fetched") == 1


def test_a_running_server_is_asked_for_the_models() -> None:
    def answer(inputs: dict[str, Any]) -> Any:
        roles = ("detection", "recognition")
        return answer_with_lines([inputs[f"text_{role}_model_name"].item().decode() for role in roles])

    with serving(answer) as (url, _), tritonocr.create_pipeline(preset="fast", url=url) as pipeline:
        (page,) = pipeline.predict(b"a", return_page_images=False)
    assert page["rec_texts"] == list(MODELS["fast"])


def test_a_server_of_its_own_gets_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[object] = []

    def start(config: object, device: str | None) -> tuple[str, Any]:
        started.append(config)
        return "localhost:1", lambda: None

    monkeypatch.setattr(_pipeline, "start_server", start)
    tritonocr.create_pipeline("OCR", preset="accurate").close()
    assert started == [preset_file("accurate")]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"preset": "quick"}, "preset: got 'quick', expected one of paddlex, fast, accurate"),
        (
            {"preset": "fast", "pipeline": "OCR.yaml"},
            "'fast' and the pipeline 'OCR.yaml' both choose the models",
        ),
        (
            {"preset": "fast", "config": {"pipeline_name": "OCR"}},
            "'fast' and a config both choose the models",
        ),
    ],
)
def test_a_wrong_preset_is_named(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(tritonocr.InvalidInputError, match=sentence):
        tritonocr.create_pipeline(**arguments, url="localhost:1")


def test_the_readme_lists_each_preset() -> None:
    table = (ROOT / "README.md").read_text("utf-8")
    for name in PRESETS:
        assert f"`{name}`" in table
