"""Check the options of a caller, and read the settings of a server.

`tritonocr_common.options` has the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

from tritonocr_common.languages import MODELS, language_code
from tritonocr_common.option_types import OCROptions
from tritonocr_common.options import OPTIONS, Option, OptionValue, OptionValueError, default_values
from tritonocr_common.quoting import quoted

from ._exceptions import InvalidOptionError

__all__ = ["DEFAULTS", "OPTIONS", "OCROptions", "Option", "checked_options", "settings_from_model_config"]

DEFAULTS = default_values()


def checked_options(options: Mapping[str, Any]) -> dict[str, OptionValue]:
    """Drop the options that are None and check the others.

    Returns:
        The given options as plain Python values, in the table's order.

    Raises:
        InvalidOptionError: an unknown name, or a value of the wrong type or out of range.
    """
    unknown = sorted(set(options) - set(OPTIONS))
    if unknown:
        raise InvalidOptionError(
            f"Unknown option {quoted(unknown[0])}; the options are {', '.join(OPTIONS)}."
        )
    given = {name: options[name] for name in OPTIONS if options.get(name) is not None}
    return {name: _checked(OPTIONS[name], value) for name, value in given.items()}


def _checked(option: Option, value: object) -> OptionValue:
    try:
        return option.check(_plain(value))
    except OptionValueError as error:
        raise InvalidOptionError(
            f"Option {option.name!r} is {error.got}; expected {error.expected}, or None."
        ) from None


def _plain(value: object) -> object:
    """Return NumPy's booleans and numbers as Python's."""
    if type(value).__name__ in ("bool_", "bool"):
        return bool(value)
    if isinstance(value, Integral):
        return int(value)
    return float(value) if isinstance(value, Real) else value


def known_language(name: str) -> str:
    """Return the code of the `lang` option for a language's name or code.

    Raises:
        InvalidOptionError: no model of TritonOCR reads it.
    """
    code = language_code(name)
    if code is None:
        raise InvalidOptionError(
            f"lang is {quoted(name)}; expected a language that a model reads: an ISO 639 code such as en, "
            f"zh or de, or one of {', '.join(MODELS)}."
        )
    return code


def settings_from_model_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Read the pipeline's settings from the parameters of the `ocr` model's Triton configuration.

    Args:
        config: Triton's model configuration as JSON: `{"parameters": {name: {"string_value": text}}}`.

    Returns:
        The value of each option that has a default: the server's value, or the table's for an option that the
        server does not state.
    """
    parameters = config.get("parameters", {})
    texts = {name: parameters[name]["string_value"] for name in DEFAULTS if name in parameters}
    return {**DEFAULTS, **{name: OPTIONS[name].parse(text) for name, text in texts.items()}}
