"""Our class `PaddleOCR` beside the class of the package paddleocr: arguments, flags and results."""

from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from environments import Environment
from typer.main import get_command

from bench.peers import configuration
from bench.workloads import DEFAULT_MODELS, Workload
from tritonocr import OCRResult, PaddleOCR
from tritonocr._demo import DEMO_LINES
from tritonocr.cli._app import app
from tritonocr_backend.server.embedded import EmbeddedServer

LINES = {"".join(line.text.split()) for line in DEMO_LINES if not line.angle}
PROGRAM = Path(__file__).with_name("paddleocr_class_client.py")


@pytest.fixture(scope="module")
def bin_folder(environment: Environment) -> Path:
    return environment("paddleocr-engine", "paddleocr>=3.7,<4", "paddlepaddle==3.2.2")


@pytest.fixture(scope="module")
def theirs(bin_folder: Path, picture: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the arguments of the package's class, and its result for the demo page."""
    models = configuration(Workload("class", ()), "paddle", tmp_path_factory.mktemp("models"))
    command = [bin_folder / "python", PROGRAM, models["detection_dir"], models["recognition_dir"], picture]
    environment = {**os.environ, "PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK": "True"}
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, env=environment, timeout=280)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.fixture(scope="module")
def engine(server: EmbeddedServer) -> Iterator[PaddleOCR]:
    with PaddleOCR(
        text_detection_model_name=DEFAULT_MODELS.detection,
        text_recognition_model_name=DEFAULT_MODELS.recognition,
        use_doc_orientation_classify=False,
        use_doc_unwarping=False,
        use_textline_orientation=False,
        return_word_box=True,
        enable_mkldnn=False,
        url=server.grpc_url,
    ) as engine:
        yield engine


@pytest.fixture(scope="module")
def result(engine: PaddleOCR, picture: Path) -> OCRResult:
    (result,) = engine.predict(str(picture), text_det_box_thresh=0.5)
    return result


@pytest.fixture(scope="module")
def ours(result: OCRResult) -> dict[str, Any]:
    found: dict[str, Any] = result.json["res"]
    return found


@pytest.mark.parametrize("method", ["__init__", "predict", "predict_iter"])
def test_every_argument_is_accepted(theirs: dict[str, Any], method: str) -> None:
    own = list(inspect.signature(getattr(PaddleOCR, method)).parameters)
    if method == "predict":  # it hands all arguments to predict_iter()
        own = list(inspect.signature(PaddleOCR.predict_iter).parameters)
    arguments = [name for name in theirs["arguments"][method] if name != "kwargs"]
    assert own[: len(arguments)] == arguments, "the same names at the same positions"


def test_the_result_has_the_same_keys(theirs: dict[str, Any], ours: dict[str, Any]) -> None:
    expected = theirs["result"]
    assert expected.keys() <= ours.keys()
    assert expected["model_settings"].keys() <= ours["model_settings"].keys()
    common = expected["text_det_params"].keys() & ours["text_det_params"].keys()
    assert {key: ours["text_det_params"][key] for key in common} == pytest.approx(
        {key: expected["text_det_params"][key] for key in common}
    )
    assert common >= {"limit_side_len", "limit_type", "thresh", "box_thresh", "unclip_ratio"}
    for key in expected.keys() - {"model_settings", "text_det_params"}:
        assert type(ours[key]) is type(expected[key]), key


def test_the_result_has_the_same_texts(theirs: dict[str, Any], ours: dict[str, Any]) -> None:
    """Lines that are straight; the models read the others differently in each precision."""
    own, expected = straight_lines(ours), straight_lines(theirs["result"])
    assert own.keys() == expected.keys() == LINES
    for text, box in own.items():
        assert box == pytest.approx(expected[text], abs=5), text


def test_the_saved_files_have_the_same_names(
    theirs: dict[str, Any], result: OCRResult, tmp_path: Path
) -> None:
    result.save_to_json(tmp_path)
    result.save_to_img(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == theirs["files"]


def test_the_other_methods_return_the_same_texts(
    theirs: dict[str, Any], engine: PaddleOCR, picture: Path
) -> None:
    iterated = [page["rec_texts"] for page in engine.predict_iter(str(picture))]
    with pytest.warns(DeprecationWarning, match="predict"):
        legacy = [page["rec_texts"] for page in engine.ocr(str(picture))]
    for own, expected in ((iterated, theirs["iterated"]), (legacy, theirs["legacy"])):
        assert [lines_of(page) for page in own] == [lines_of(page) for page in expected] == [LINES]


def lines_of(texts: list[str]) -> set[str]:
    """Return the straight lines of the demo page among texts, without spaces."""
    return LINES & set(map(without_spaces, texts))


def straight_lines(result: dict[str, Any]) -> dict[str, list[int]]:
    """Return the boxes of the straight lines of the demo page by their texts without spaces."""
    boxes = dict(zip(map(without_spaces, result["rec_texts"]), result["rec_boxes"], strict=True))
    return {text: box for text, box in boxes.items() if text in LINES}


def without_spaces(text: str) -> str:
    """Return a text without spaces, which engines of other precision set differently."""
    return "".join(text.split())


def test_every_flag_of_the_command_is_accepted(bin_folder: Path) -> None:
    command = [str(bin_folder / "paddleocr"), "ocr", "--help"]
    text = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    expected = set(re.findall(r"--[a-z][a-z_]+", text))
    command_group: Any = get_command(app)
    own = {flag for parameter in command_group.get_command(None, "ocr").params for flag in parameter.opts}
    assert expected - own == {"--help"}
