"""The tables of the client's README agree with the code."""

import re
from pathlib import Path

import tritonocr
from tritonocr import OCRResult
from tritonocr.cli._errors import ExitCode
from tritonocr.cli._journal import FILE_NAME
from tritonocr.cli._output import OUTPUTS

README = (Path(__file__).parents[3] / "client" / "README.md").read_text(encoding="utf-8")


def table(first_header: str) -> list[list[str]]:
    """The rows of the table whose first column has this header."""
    lines = README[README.index(f"| {first_header} |") :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_table_of_formats_is_the_formats() -> None:
    assert [row[0].split("`")[1] for row in table("`--format`")] == list(OUTPUTS)


def test_the_extras_are_the_distributions() -> None:
    project = (Path(__file__).parents[3] / "client" / "pyproject.toml").read_text(encoding="utf-8")
    section = project.split("[project.optional-dependencies]")[1].split("\n[project")[0]
    extras = re.findall(r"^(\w+) = ", section, flags=re.MULTILINE)
    assert re.findall(r"^\| `tritonocr\[(\w+)\]`", README, flags=re.MULTILINE) == extras


def test_names_and_codes_are_the_codes() -> None:
    for name in re.findall(r"`(\w+(?:Error|Warning|Failure|Client))`", README):
        assert name in tritonocr.__all__
    for name in re.findall(r"`(save_to_\w+)\(", README):
        assert hasattr(OCRResult, name)
    assert FILE_NAME in README
    codes = re.search(r"Exit codes: (.*)\.\n", README, flags=re.DOTALL)
    assert codes is not None
    assert [int(code) for code in re.findall(r"\b\d+\b", codes[1])] == [int(code) for code in ExitCode]


def test_the_examples_are_python() -> None:
    blocks = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        compile(block, "README.md", "exec")
