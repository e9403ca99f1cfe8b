"""The options of `predict()`: one table, which the tensors, the command line and the docs follow.

Names, meanings and defaults are those of PaddleX's general OCR pipeline tutorial; the options after
`text_rec_score_thresh` are ours, or of later PaddleX versions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, TypedDict

from ._exceptions import InvalidInputError


class OCROptions(TypedDict, total=False):
    """Keyword arguments of `predict()` and `ocr()`; None or absent means the pipeline's own setting."""

    use_doc_orientation_classify: bool | None
    use_doc_unwarping: bool | None
    use_textline_orientation: bool | None
    text_det_limit_side_len: int | None
    text_det_limit_type: str | None
    text_det_thresh: float | None
    text_det_box_thresh: float | None
    text_det_unclip_ratio: float | None
    text_rec_score_thresh: float | None
    text_detection_model_name: str | None
    text_recognition_model_name: str | None
    lang: str | None
    return_word_box: bool | None
    return_page_images: bool | None
    max_pages: int | None


@dataclass(frozen=True)
class Option:
    """One option: its Triton datatype, the tutorial's default (None: the server's choice), its help."""

    name: str
    datatype: str
    default: bool | int | float | str | None
    help: str


# fmt: off
OPTIONS: dict[str, Option] = {option.name: option for option in (
    Option("use_doc_orientation_classify", "BOOL", True, "Turn pages that lie on a side or upside-down."),
    Option("use_doc_unwarping", "BOOL", True, "Straighten photographed pages that are bent (UVDoc)."),
    Option("use_textline_orientation", "BOOL", True, "Turn text lines that are upside-down."),
    Option("text_det_limit_side_len", "INT32", 960, "Side length (pixels) that detection resizes pages by."),
    Option("text_det_limit_type", "BYTES", "max", "'max': no side above the limit; 'min': no side below it."),
    Option("text_det_thresh", "FP32", 0.3, "Probability above which a pixel counts as text."),
    Option("text_det_box_thresh", "FP32", 0.6, "Mean probability from which a box counts as text."),
    Option("text_det_unclip_ratio", "FP32", 2.0, "How far boxes are grown around the detected text core."),
    Option("text_rec_score_thresh", "FP32", 0.0, "Score from which a recognised line is kept."),
    Option("text_detection_model_name", "BYTES", None, "Detection model, one of those served."),
    Option("text_recognition_model_name", "BYTES", None, "Recognition model, one of those served."),
    Option("lang", "BYTES", None, "Language, choosing a served recognition model that reads it."),
    Option("return_word_box", "BOOL", False, "Return the words of each line with their boxes."),
    Option("return_page_images", "BOOL", False, "Return the pages' pictures, which drawings and PDFs need."),
    Option("max_pages", "INT32", 10, "Pages read of a PDF or TIFF; the answer says how many it has."),
)}
# fmt: on

DEFAULTS: dict[str, Any] = {
    name: option.default for name, option in OPTIONS.items() if option.default is not None
}

_EXPECTED = {"BOOL": "True or False", "INT32": "an integer", "FP32": "a number", "BYTES": "a string"}
_INT32_MAX = 2**31 - 1


def checked_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Drop the options that are None and check the names and types of the others.

    Ranges are the server's to check, since it alone knows them.

    Returns:
        The given options with plain Python values, in the table's order.

    Raises:
        InvalidInputError: an unknown name, or a value of the wrong type.
    """
    unknown = sorted(set(options) - set(OPTIONS))
    if unknown:
        raise InvalidInputError(f"Unknown option {unknown[0]!r}; the options are {', '.join(OPTIONS)}.")
    given = {name: options[name] for name in OPTIONS if options.get(name) is not None}
    return {name: _checked(OPTIONS[name], value) for name, value in given.items()}


def _checked(option: Option, value: object) -> bool | int | float | str:
    is_bool = isinstance(value, bool) or type(value).__name__ in ("bool_", "bool")  # numpy's, too
    if option.datatype == "BOOL" and is_bool:
        return bool(value)
    if option.datatype == "INT32" and isinstance(value, Integral) and not is_bool:
        return _int32(option, int(value))
    if option.datatype == "FP32" and isinstance(value, Real) and not is_bool:
        return float(value)
    if option.datatype == "BYTES" and isinstance(value, str):
        return value
    expected = _EXPECTED[option.datatype]
    raise InvalidInputError(f"Option {option.name!r} is {value!r}; expected {expected} or None.")


def _int32(option: Option, value: int) -> int:
    if -_INT32_MAX <= value <= _INT32_MAX:
        return value
    raise InvalidInputError(f"Option {option.name!r} is {value}; expected at most {_INT32_MAX} either way.")


def refuses_an_option(error: Exception) -> bool:
    """Whether a server refuses an option's value, whatever the file: its sentence begins with the name."""
    return isinstance(error, InvalidInputError) and str(error).partition(":")[0] in OPTIONS


def settings_from_model_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Read the pipeline's own settings from the parameters of the `ocr` model's Triton configuration.

    Args:
        config: Triton's model configuration as JSON: `{"parameters": {name: {"string_value": text}}}`.

    Returns:
        A value for every option with a default: the server's where it tells, else the tutorial's.
    """
    parameters = config.get("parameters", {})
    texts = {name: parameters[name]["string_value"] for name in DEFAULTS if name in parameters}
    return {**DEFAULTS, **{name: _parsed(OPTIONS[name], text) for name, text in texts.items()}}


def _parsed(option: Option, text: str) -> bool | int | float | str:
    if option.datatype == "BOOL":
        return text.strip().lower() in ("true", "1")
    return int(text) if option.datatype == "INT32" else float(text) if option.datatype == "FP32" else text
