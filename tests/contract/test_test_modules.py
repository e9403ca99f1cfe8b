"""Helpers of tests are modules of their own: a test module can then be run alone and moved."""

import ast
from pathlib import Path

TESTS = Path(__file__).parents[1]


def test_no_module_imports_a_test_module_or_a_conftest() -> None:
    wrong = [
        f"{path.relative_to(TESTS)} imports {node.module}"
        for path in sorted(TESTS.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module
        if node.module == "conftest" or node.module.startswith("test_")
    ]
    assert wrong == []


def test_no_two_test_modules_have_one_name() -> None:
    names = [path.name for path in TESTS.rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))
