"""pydantic's validation errors as one sentence."""

from __future__ import annotations

from pydantic import ValidationError


def describe(error: ValidationError) -> str:
    """The first problem: where it is (dotted path), what is wrong, and what was got."""
    problem = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in problem["loc"])
    message = problem["msg"][:1].lower() + problem["msg"][1:]
    if problem["type"] == "missing":
        return f"{where} is missing"
    return f"{where}: {message}, got {problem['input']!r:.60}"
