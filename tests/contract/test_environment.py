"""Environment variables are named in one table only."""

import re
from pathlib import Path

import pytest

from tritonocr_common.environment import VARIABLES

CHECKOUT = Path(__file__).parents[2]
TABLE = CHECKOUT / "client/src/tritonocr_common/environment.py"
SOURCES = [
    path
    for folder in ("client", "python_backend")
    for path in (CHECKOUT / folder).rglob("*.py")
    if path != TABLE
]
DOCUMENTS = [
    path
    for folder in ("docs", "docker", "client", "model_repository")
    for path in (CHECKOUT / folder).rglob("*")
    if path.suffix in (".md", ".yaml") or path.name.startswith("Dockerfile")
]
NAME = re.compile(r"TRITONOCR_[A-Z]+(?:_[A-Z]+)*_?")


def is_known(name: str) -> bool:
    return name in VARIABLES or name.startswith("TRITONOCR_REST_")


def test_no_other_module_writes_a_name_as_a_string() -> None:
    quoted = re.compile(rf"[\"']{NAME.pattern}[\"']")
    assert [str(path) for path in SOURCES if quoted.search(path.read_text("utf-8"))] == []


@pytest.mark.parametrize("paths", [SOURCES, DOCUMENTS], ids=["code", "documents"])
def test_each_name_that_a_person_reads_is_in_the_table(paths: list[Path]) -> None:
    assert len(paths) > 10
    unknown = {
        (path.name, name)
        for path in paths
        for name in NAME.findall(path.read_text("utf-8"))
        if not is_known(name)
    }
    assert unknown == set()
