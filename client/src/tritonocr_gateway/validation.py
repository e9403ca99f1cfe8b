"""Validate the fields of a request, and describe what is wrong in one sentence."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from tritonocr_common.quoting import quoted
from tritonocr_gateway.errors import InvalidRequestError

_MAX_PATH = 200
_EXPECTED = {
    "string_type": "text",
    "string_unicode": "valid Unicode text",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    **dict.fromkeys(("float_type", "float_parsing"), "a number"),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "a whole number"),
    "json_invalid": "JSON",
    "dict_type": "a JSON object",
    "model_type": "a JSON object",
    "model_attributes_type": "a JSON object",
    "tuple_type": "a list",
    "list_type": "a list",
    "greater_than_equal": "at least {ge:g}",
    "less_than_equal": "at most {le:g}",
    "string_too_long": "at most {max_length} characters",
    "string_pattern_mismatch": "text that matches the pattern {pattern}",
}
"""Expected values by pydantic's type of error, where pydantic's own message is no end of our sentence."""
_PYDANTIC_PREFIX = re.compile(r"^(Value error, )?(\w+ should (be |have |match )?|expected )?")


def validated(model: type[BaseModel], values: Any, name: str = "") -> Any:
    """Validate values against a model.

    `from_attributes` is set as FastAPI sets it: the error of a body that is no object is then PaddleX's.

    Args:
        model: the model.
        values: the values.
        name: the field that holds the values; empty for the body.

    Raises:
        InvalidRequestError: a field is missing or invalid.
    """
    try:
        return model.model_validate(values, from_attributes=True)
    except ValidationError as error:
        raise _invalid(error.errors(include_url=False), name) from error


def missing_field(*location: str) -> InvalidRequestError:
    """Build the error for a missing field; without a location, for a missing body."""
    return _invalid([{"type": "missing", "loc": location, "msg": "Field required"}])


def invalid_text(field: str) -> InvalidRequestError:
    """Build the error for a field of a form that is not text in UTF-8."""
    message = "Input should be text in UTF-8"
    return _invalid([{"type": "string_unicode", "loc": (field,), "msg": message, "input": "other bytes"}])


def invalid_json(position: int, name: str = "") -> InvalidRequestError:
    """Build the error for text that is not JSON.

    Args:
        position: the index of the first wrong character.
        name: the field that holds the text; empty for the body.
    """
    return InvalidRequestError(
        f"{name or 'The body'}: expected JSON, but the character at index {position} is wrong.",
        _paddlex_list([{"type": "json_invalid", "loc": (position,), "msg": "JSON decode error"}]),
    )


def _invalid(errors: Sequence[Any], name: str = "") -> InvalidRequestError:
    return InvalidRequestError(_sentence(errors, name), _paddlex_list(errors))


def _sentence(errors: Sequence[Any], name: str) -> str:
    """Describe the first error, and count the others."""
    more = len(errors) - 1
    rest = f" ({_count(more, 'more error')} in this request)" if more else ""
    return f"{_description(errors[0], name)}{rest}."


def _description(error: Any, name: str) -> str:
    path = _path(error["loc"], name)[:_MAX_PATH]
    if error["type"] == "missing":
        return f"{path or 'The body'} is missing, but required"
    return f"{path or 'The body'}: got {_received(error['input'])}, expected {_expected(error)}"


def _expected(error: Any) -> str:
    if expected := _EXPECTED.get(error["type"]):
        return expected.format(**error.get("ctx", {}))
    return _PYDANTIC_PREFIX.sub("", error["msg"])


def _received(value: Any) -> str:
    """Return a value in JSON's terms, shortened."""
    if isinstance(value, Mapping):
        return f"an object of {_count(len(value), 'field')}"
    if isinstance(value, (list, tuple)):
        return f"a list of {_count(len(value), 'element')}"
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return quoted(value)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _paddlex_list(errors: Sequence[Any]) -> str:
    """Return PaddleX's message: a JSON list of what, where and why."""
    return json.dumps(
        [{"type": error["type"], "loc": _path(error["loc"], "body"), "msg": error["msg"]} for error in errors]
    )


def _path(location: Sequence[str | int], start: str) -> str:
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in location)
    return f"{start}{''.join(steps)}".removeprefix(".")
