"""One option of a request: its declaration, and checking a value. The table is `options.OPTIONS`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tritonocr_common.quoting import quoted

OptionValue = bool | int | float | str
Group = Literal["Models", "Page", "Detection", "Answer"]

DATATYPES: Mapping[type, str] = {bool: "BOOL", int: "INT32", float: "FP32", str: "BYTES"}
"""Triton's name of the datatype that carries an option of each type."""

_BOOLEANS = {"true": True, "false": False}
_EXPECTED = {bool: "True or False", int: "an integer", float: "a number", str: "a string"}


class OptionValueError(ValueError):
    """An option's value has the wrong type or is out of range.

    Attributes:
        name: the option.
        got: the value as a person wrote it, shortened.
        expected: the type or range.
    """

    def __init__(self, name: str, got: str, expected: str) -> None:
        super().__init__(f"{name}: got {got}, expected {expected}")
        self.name, self.got, self.expected = name, got, expected


@dataclass(frozen=True)
class Option:
    """An option of a request.

    Attributes:
        name: keyword argument, command-line flag and input tensor of the `ocr` model.
        kind: bool, int, float or str.
        default: the value of a new pipeline; None: the server chooses (only for str).
        help: what the option does, in one sentence.
        title: label on the web page.
        group: section of the web page.
        low: smallest value.
        high: largest value.
        choices: allowed strings; empty: any string.
        paddlex_key: keyword of PaddleX's `predict()`; None: PaddleX has no such option.
        yaml_key: location in PaddleX's `OCR.yaml`, with dots between the sections; None: not in that file.
        rest_key: field of `POST /ocr`; None: the gateway decides.
    """

    name: str
    kind: type
    default: OptionValue | None
    help: str
    title: str
    group: Group
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    paddlex_key: str | None = None
    yaml_key: str | None = None
    rest_key: str | None = None

    @property
    def datatype(self) -> str:
        """Triton's datatype of the input tensor, as clients name it."""
        return DATATYPES[self.kind]

    @property
    def expected(self) -> str:
        """What a value must be, for error messages and documents."""
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        if self.low is None or self.high is None:
            return _EXPECTED[self.kind]
        return f"{self.low:g} to {self.high:g}"

    def check(self, value: Any) -> OptionValue:
        """Return the value as this option's type.

        Raises:
            OptionValueError: the value has another type, is not finite or is out of range.
        """
        fits = isinstance(value, self.kind) or (self.kind is float and type(value) is int)
        if not fits or (self.kind is int and isinstance(value, bool)):
            raise OptionValueError(self.name, quoted(value), _EXPECTED[self.kind])
        if self.choices and value not in self.choices:
            raise OptionValueError(self.name, quoted(value), self.expected)
        if self.kind in (int, float) and not self._is_in_range(value):
            got = f"{value:g}" if self.kind is float else str(value)  # float32 0.1 would show all its digits
            raise OptionValueError(self.name, got, self.expected)
        return self.kind(value)  # type: ignore[no-any-return]

    def parse(self, text: str) -> OptionValue:
        """Read a value from text, such as `True`, `960` or `0.3`.

        Raises:
            OptionValueError: the text is not such a value, or the value is out of range.
        """
        try:
            value = _BOOLEANS[text.strip().lower()] if self.kind is bool else self.kind(text)
        except (KeyError, ValueError):
            raise OptionValueError(self.name, quoted(text), _EXPECTED[self.kind]) from None
        return self.check(value)

    def _is_in_range(self, value: float) -> bool:
        low = -math.inf if self.low is None else self.low
        high = math.inf if self.high is None else self.high
        return math.isfinite(value) and low <= value <= high
