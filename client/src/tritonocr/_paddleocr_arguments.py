"""PaddleOCR's arguments: their places in `OCR.yaml`, their old names and the choice of models."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tritonocr_common.languages import MODELS
from tritonocr_common.options import OPTIONS
from tritonocr_common.quoting import quoted

from ._exceptions import InvalidInputError
from ._options import known_language
from ._paddlex_config import read_config
from ._pipeline import IgnoredArgumentWarning

_DOC = "SubPipelines.DocPreprocessor.SubModules"
CONFIG_KEYS: Mapping[str, str] = {
    "doc_orientation_classify_model_name": f"{_DOC}.DocOrientationClassify.model_name",
    "doc_orientation_classify_model_dir": f"{_DOC}.DocOrientationClassify.model_dir",
    "doc_unwarping_model_name": f"{_DOC}.DocUnwarping.model_name",
    "doc_unwarping_model_dir": f"{_DOC}.DocUnwarping.model_dir",
    "text_detection_model_dir": "SubModules.TextDetection.model_dir",
    "textline_orientation_model_name": "SubModules.TextLineOrientation.model_name",
    "textline_orientation_model_dir": "SubModules.TextLineOrientation.model_dir",
    "text_recognition_model_dir": "SubModules.TextRecognition.model_dir",
    **{option.name: option.yaml_key for option in OPTIONS.values() if option.yaml_key},
}
"""The location of each argument of PaddleOCR in PaddleX's configuration."""

# The settings of PaddleX 3's own `OCR.yaml`, which PaddleOCR starts from.
DEFAULT_CONFIG: Mapping[str, Any] = {
    "pipeline_name": "OCR",
    "use_doc_preprocessor": True,
    "use_textline_orientation": True,
    "SubPipelines": {"DocPreprocessor": {"use_doc_orientation_classify": True, "use_doc_unwarping": True}},
    "SubModules": {
        "TextDetection": {
            "limit_side_len": 64,
            "limit_type": "min",
            "thresh": 0.3,
            "box_thresh": 0.6,
            "unclip_ratio": 1.5,
        },
        "TextRecognition": {"score_thresh": 0.0},
    },
}

# Names of PaddleOCR 2, which PaddleOCR 3 still accepts.
DEPRECATED: Mapping[str, str] = {
    "det_model_dir": "text_detection_model_dir",
    "det_limit_side_len": "text_det_limit_side_len",
    "det_limit_type": "text_det_limit_type",
    "det_db_thresh": "text_det_thresh",
    "det_db_box_thresh": "text_det_box_thresh",
    "det_db_unclip_ratio": "text_det_unclip_ratio",
    "rec_model_dir": "text_recognition_model_dir",
    "rec_batch_num": "text_recognition_batch_size",
    "use_angle_cls": "use_textline_orientation",
    "cls_model_dir": "textline_orientation_model_dir",
    "cls_batch_num": "textline_orientation_batch_size",
}

# Arguments that choose how Paddle computes. The server chooses its engine and its batches itself.
ENGINE_ARGUMENTS = frozenset(
    (
        *("engine", "engine_config", "enable_hpi", "use_tensorrt", "precision"),
        *("enable_mkldnn", "mkldnn_cache_capacity", "cpu_threads", "enable_cinn"),
    )
)
OCR_VERSIONS = ("PP-OCRv3", "PP-OCRv4", "PP-OCRv5", "PP-OCRv6")

_V6_LANGUAGES = ("ch", "chinese_cht", "en", "japan", "latin")
_V5_LANGUAGES = ("ch", "chinese_cht", "en", "japan")


def with_new_names(given: Mapping[str, Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments with PaddleOCR 2's names replaced and the engine's arguments dropped.

    Raises:
        InvalidInputError: an argument is unknown, or given under both names.
    """
    renamed = dict(given)
    for name, value in arguments.items():
        if name in ENGINE_ARGUMENTS:
            continue
        if name not in DEPRECATED:
            raise InvalidInputError(f"Unknown argument: {name}.")
        new_name = DEPRECATED[name]
        warnings.warn(f"`{name}` is deprecated; use `{new_name}`.", DeprecationWarning, stacklevel=3)
        if renamed[new_name] is not None:
            raise InvalidInputError(f"`{name}` and `{new_name}` are mutually exclusive.")
        renamed[new_name] = value
    return renamed


def warn_of_shapes(**shapes: object) -> None:
    """Warn of each input shape that is given: the server chooses the shapes."""
    for name, shape in shapes.items():
        if shape is not None:
            sentence = f"{name} is ignored: the server chooses the shape for each page."
            warnings.warn(sentence, IgnoredArgumentWarning, stacklevel=3)


def choose_models(
    given: dict[str, Any], lang: str | None, ocr_version: str | None, *, is_running_server: bool
) -> dict[str, Any]:
    """Choose models by language and generation, unless `given` names some; return options of requests.

    Raises:
        InvalidInputError: the language or generation is unknown, or no model has both.
    """
    if ocr_version not in (None, *OCR_VERSIONS):
        raise InvalidInputError(
            f"ocr_version is {quoted(ocr_version)}; expected one of {', '.join(OCR_VERSIONS)}."
        )
    code = None if lang is None else known_language(lang)
    prefixes = ("text_detection_model", "text_recognition_model")
    if any(given[f"{prefix}_{end}"] is not None for prefix in prefixes for end in ("name", "dir")):
        if lang is not None or ocr_version is not None:
            sentence = "lang and ocr_version are ignored: models are given by name or directory."
            warnings.warn(sentence, IgnoredArgumentWarning, stacklevel=3)
        return {}
    if is_running_server and ocr_version is None:
        return {"lang": code}  # the server chooses among the models that it serves
    if code is not None or ocr_version is not None:
        names = model_names(code or "ch", ocr_version)
        given["text_detection_model_name"], given["text_recognition_model_name"] = names
    return {}


def model_names(code: str, ocr_version: str | None) -> tuple[str, str]:
    """Return a detection and a recognition model for a language and a generation of PP-OCR.

    PaddleOCR prefers the large (server, medium) models; these are the small ones, which TritonOCR serves.

    Args:
        code: code of the `lang` option.
        ocr_version: the generation; None chooses the newest that reads the language.

    Raises:
        InvalidInputError: no such model exists.
    """
    newest = "PP-OCRv6" if code in _V6_LANGUAGES else "PP-OCRv3"
    version = ocr_version or newest
    if version == "PP-OCRv6" and code in _V6_LANGUAGES:
        return "PP-OCRv6_small_det", "PP-OCRv6_small_rec"
    if version == "PP-OCRv5" and code in _V5_LANGUAGES:
        return "PP-OCRv5_mobile_det", "PP-OCRv5_mobile_rec"
    if version == "PP-OCRv4" and code in ("ch", "en"):
        return "PP-OCRv4_mobile_det", f"{'' if code == 'ch' else 'en_'}PP-OCRv4_mobile_rec"
    if version == "PP-OCRv3":
        return "PP-OCRv3_mobile_det", f"{'' if code == 'ch' else f'{code}_'}PP-OCRv3_mobile_rec"
    raise InvalidInputError(
        f"No model of {version} reads lang={quoted(code)}; leave out ocr_version, or name a model such as "
        f"text_recognition_model_name={MODELS[code]!r}."
    )


def merged_config(base: str | Path | Mapping[str, Any] | None, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return PaddleX's configuration with the given arguments in their places."""
    content = read_config(Path(base)) if isinstance(base, (str, Path)) else base or DEFAULT_CONFIG
    config: dict[str, Any] = copy.deepcopy(dict(content))
    for name, location in CONFIG_KEYS.items():
        if given[name] is None:
            continue
        *sections, key = location.split(".")
        section = config
        for part in sections:
            section = section.setdefault(part, {})
        section[key] = given[name]
    switches = (given["use_doc_orientation_classify"], given["use_doc_unwarping"])
    if any(switches) or None not in switches:
        config["use_doc_preprocessor"] = any(switches)
    return config
