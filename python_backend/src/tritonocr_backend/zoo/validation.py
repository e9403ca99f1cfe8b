"""Describe pydantic's validation errors in one sentence."""

from __future__ import annotations

from pydantic import ValidationError


def describe(error: ValidationError) -> str:
    """Return the first problem: the dotted path of the value, the value, and the expected value."""
    problem = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in problem["loc"]) or "the file"
    if problem["type"] == "missing":
        return f"{where} is missing"
    if problem["type"] == "value_error":  # raised by our own validators, whose text contains the value
        return f"{where}: {problem['ctx']['error']}"
    if problem["type"] == "model_type":
        return f"{where}: got {problem['input']!r:.60}, expected a mapping"
    expected = problem["msg"].replace("Input should be", "expected", 1)
    return f"{where}: got {problem['input']!r:.60}, {expected[:1].lower()}{expected[1:]}"
