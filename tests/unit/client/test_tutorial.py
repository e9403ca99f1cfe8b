"""Conformance with the PaddleX tutorial, table by table: its text is parsed, not repeated."""

import inspect
import re

import pytest
import typer
import typer.main
from shared_files import tutorial, tutorial_table

import tritonocr
from tritonocr import OPTIONS, OCRResult
from tritonocr._options import DEFAULTS
from tritonocr.cli._predict import predict

# A cell of a row that the tutorial's markup merges with the one before.
PARAMETER = re.compile(r"^(?:input|device|use_\w+|text_\w+)$")


def predict_rows() -> list[list[str]]:
    """Rows of the table of `predict()`: name, meaning, type, choices, default."""
    cells = [cell for row in tutorial_table("以下是 `predict()` 方法的参数及其说明") for cell in row]
    starts = [position for position, cell in enumerate(cells) if PARAMETER.match(cell)]
    return [cells[start : start + 5] for start in starts]


PREDICT_ROWS = predict_rows()


def flags() -> set[str]:
    """The flags of `tritonocr predict`."""
    app = typer.Typer()
    app.command()(predict)
    return {flag for parameter in typer.main.get_command(app).params for flag in parameter.opts}


def test_the_tables_are_found() -> None:
    assert len(PREDICT_ROWS) == 11


def test_create_pipeline_takes_the_tutorials_arguments() -> None:
    rows = tutorial_table("通过 `create_pipeline()` 实例化 OCR 产线对象")[1:]
    names = [row[0] for row in rows]
    assert names == ["pipeline", "config", "device", "use_hpip"]
    parameters = inspect.signature(tritonocr.create_pipeline).parameters
    assert list(parameters)[: len(names)] == names
    assert parameters["use_hpip"].default is False


@pytest.mark.parametrize("row", PREDICT_ROWS, ids=lambda row: row[0])
def test_predict_takes_the_tutorials_option(row: list[str]) -> None:
    name, _, kinds, choices, _ = row
    if name in ("input", "device"):
        assert name in inspect.signature(tritonocr.OCRPipeline.predict).parameters
        return
    datatypes = {"bool|None": "BOOL", "int|None": "INT32", "float|None": "FP32", "str|None": "BYTES"}
    assert OPTIONS[name].datatype == datatypes[kinds]
    (stated,) = re.findall(r"初始化(?:的该参数值|为)\s*([\w.]+?)(?:；|。|$)", choices.splitlines()[-1])
    assert str(DEFAULTS[name]) == stated


@pytest.mark.parametrize("name", [row[0] for row in PREDICT_ROWS])
def test_the_command_line_spells_the_option_as_the_tutorial_does(name: str) -> None:
    assert f"--{name}" in flags()


def test_the_tutorials_command_has_only_flags_that_we_have() -> None:
    command = tutorial()[tutorial().index("paddlex --pipeline OCR") :].split("```")[0]
    assert set(re.findall(r"--\w+", command)) <= flags()


def test_the_results_methods_take_the_tutorials_arguments() -> None:
    method, found = "", {}
    for row in tutorial_table("每个样本的预测结果均为对应的Result对象")[1:]:
        if row[0].endswith("()"):
            method, row = row[0][:-2], row[2:]
        found.setdefault(method, []).append((row[0], row[-1]))
    assert set(found) == {"print", "save_to_json", "save_to_img"}
    for method, arguments in found.items():
        parameters = inspect.signature(getattr(OCRResult, method)).parameters
        assert list(parameters)[1:] == [name for name, _ in arguments]
        for name, default in arguments:
            stated = inspect.Parameter.empty if default == "无" else default
            ours = parameters[name].default
            assert ours is stated or str(ours) == stated


def test_the_result_has_the_tutorials_attributes() -> None:
    names = [row[0] for row in tutorial_table("此外，也支持通过属性获取")[1:]]
    assert names == ["json", "img"]
    assert all(isinstance(getattr(OCRResult, name), property) for name in names)
