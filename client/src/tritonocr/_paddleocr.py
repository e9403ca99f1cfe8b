"""PaddleOCR 3's class, for code that was written for the package `paddleocr`."""

from __future__ import annotations

import copy
import json
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tritonocr_common.languages import MODELS
from tritonocr_common.options import OPTIONS

from ._arguments import DEFAULT_JOBS, DEFAULT_TIMEOUT_S
from ._exceptions import InvalidInputError
from ._options import checked_options, known_language
from ._paddlex_config import read_config
from ._pipeline import IgnoredArgumentWarning, create_pipeline
from ._results.result import OCRResult

if TYPE_CHECKING:
    from typing_extensions import Self

    from ._transport.address import Urls
    from ._transport.tls import TLS

# The location of each argument in PaddleX's configuration, without `SubModules` and `SubPipelines`.
_DOC = "SubPipelines.DocPreprocessor"
CONFIG_KEYS: Mapping[str, str] = {
    "doc_orientation_classify_model_name": f"{_DOC}.SubModules.DocOrientationClassify.model_name",
    "doc_orientation_classify_model_dir": f"{_DOC}.SubModules.DocOrientationClassify.model_dir",
    "doc_unwarping_model_name": f"{_DOC}.SubModules.DocUnwarping.model_name",
    "doc_unwarping_model_dir": f"{_DOC}.SubModules.DocUnwarping.model_dir",
    "text_detection_model_name": "SubModules.TextDetection.model_name",
    "text_detection_model_dir": "SubModules.TextDetection.model_dir",
    "textline_orientation_model_name": "SubModules.TextLineOrientation.model_name",
    "textline_orientation_model_dir": "SubModules.TextLineOrientation.model_dir",
    "text_recognition_model_name": "SubModules.TextRecognition.model_name",
    "text_recognition_model_dir": "SubModules.TextRecognition.model_dir",
    "use_doc_orientation_classify": f"{_DOC}.use_doc_orientation_classify",
    "use_doc_unwarping": f"{_DOC}.use_doc_unwarping",
    "use_textline_orientation": "use_textline_orientation",
    "text_det_limit_side_len": "SubModules.TextDetection.limit_side_len",
    "text_det_limit_type": "SubModules.TextDetection.limit_type",
    "text_det_thresh": "SubModules.TextDetection.thresh",
    "text_det_box_thresh": "SubModules.TextDetection.box_thresh",
    "text_det_unclip_ratio": "SubModules.TextDetection.unclip_ratio",
    "text_rec_score_thresh": "SubModules.TextRecognition.score_thresh",
}

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


class PaddleOCR:
    """Read files with the constructor and the methods of PaddleOCR 3.

    Results have PaddleOCR's keys and methods. The settings start from those of PaddleX's own `OCR.yaml`, and
    all pages of a PDF are read, as in PaddleOCR.

    Args:
        doc_orientation_classify_model_name: model of a server that starts here; likewise the other names and
            directories.
        doc_orientation_classify_model_dir: directory of its weights.
        doc_unwarping_model_name: see above.
        doc_unwarping_model_dir: see above.
        text_detection_model_name: see above; a running server must serve the model.
        text_detection_model_dir: see above.
        textline_orientation_model_name: see above.
        textline_orientation_model_dir: see above.
        textline_orientation_batch_size: no effect: the server chooses its batches.
        text_recognition_model_name: see above; a running server must serve the model.
        text_recognition_model_dir: see above.
        text_recognition_batch_size: no effect: the server chooses its batches.
        use_doc_orientation_classify: an option of `predict()`; likewise the following ones.
        use_doc_unwarping: see `OCROptions`.
        use_textline_orientation: see `OCROptions`.
        text_det_limit_side_len: see `OCROptions`.
        text_det_limit_type: see `OCROptions`.
        text_det_thresh: see `OCROptions`.
        text_det_box_thresh: see `OCROptions`.
        text_det_unclip_ratio: see `OCROptions`.
        text_det_input_shape: ignored, with a warning.
        text_rec_score_thresh: see `OCROptions`.
        return_word_box: see `OCROptions`.
        text_rec_input_shape: ignored, with a warning.
        lang: PaddleOCR's name, ISO 639 code or English name of the language.
        ocr_version: `PP-OCRv3` to `PP-OCRv6`. It chooses the small or mobile models of that generation.
        paddlex_config: PaddleX's configuration as a dict, or the path of its YAML file.
        url: a running server, as for `OCRClient`; None starts a server on this machine.
        device: device of a server that starts here.
        jobs: files in flight.
        timeout_s: seconds per file.
        headers: sent with every request.
        tls: certificates, for `grpcs://` and `https://`.
        **arguments: PaddleOCR's arguments for Paddle's engine, which have no effect, and the names of
            PaddleOCR 2, with a DeprecationWarning.

    Raises:
        InvalidInputError: an argument is unknown or wrong, or no model reads the language.
        MissingExtraError: no url, and `tritonocr-server` is not installed.
        ServerUnavailableError: the server did not start.

    Example:
        >>> ocr = PaddleOCR(use_doc_unwarping=False, lang="en", url="localhost:8001")
        >>> for result in ocr.predict("receipt.png"):
        ...     print(result["rec_texts"])
    """

    def __init__(
        self,
        doc_orientation_classify_model_name: str | None = None,
        doc_orientation_classify_model_dir: str | None = None,
        doc_unwarping_model_name: str | None = None,
        doc_unwarping_model_dir: str | None = None,
        text_detection_model_name: str | None = None,
        text_detection_model_dir: str | None = None,
        textline_orientation_model_name: str | None = None,
        textline_orientation_model_dir: str | None = None,
        textline_orientation_batch_size: int | None = None,
        text_recognition_model_name: str | None = None,
        text_recognition_model_dir: str | None = None,
        text_recognition_batch_size: int | None = None,
        use_doc_orientation_classify: bool | None = None,
        use_doc_unwarping: bool | None = None,
        use_textline_orientation: bool | None = None,
        text_det_limit_side_len: int | None = None,
        text_det_limit_type: str | None = None,
        text_det_thresh: float | None = None,
        text_det_box_thresh: float | None = None,
        text_det_unclip_ratio: float | None = None,
        text_det_input_shape: tuple[int, int, int] | None = None,
        text_rec_score_thresh: float | None = None,
        return_word_box: bool | None = None,
        text_rec_input_shape: tuple[int, int, int] | None = None,
        lang: str | None = None,
        ocr_version: str | None = None,
        *,
        paddlex_config: str | Path | Mapping[str, Any] | None = None,
        url: Urls | None = None,
        device: str | None = None,
        jobs: int = DEFAULT_JOBS,
        timeout_s: float | None = DEFAULT_TIMEOUT_S,
        headers: Mapping[str, str] | None = None,
        tls: TLS | None = None,
        **arguments: Any,
    ) -> None:
        given = {name: value for name, value in locals().items() if name in CONFIG_KEYS}
        given |= {
            "text_recognition_batch_size": text_recognition_batch_size,
            "textline_orientation_batch_size": textline_orientation_batch_size,
        }
        given = with_new_names(given, arguments)
        for name, shape in (("text_det_", text_det_input_shape), ("text_rec_", text_rec_input_shape)):
            if shape is not None:
                sentence = f"{name}input_shape is ignored: the server chooses the shape for each page."
                warnings.warn(sentence, IgnoredArgumentWarning, stacklevel=2)
        options = {"return_word_box": return_word_box, "max_pages": int(OPTIONS["max_pages"].high or 1)}
        options |= _choose_models(given, lang, ocr_version, is_running_server=url is not None)
        self._options = checked_options(options)
        self._config = merged_config(paddlex_config, given)
        self.paddlex_pipeline = create_pipeline(
            config=self._config,
            device=device,
            url=url,
            jobs=jobs,
            timeout_s=timeout_s,
            headers=headers,
            tls=tls,
        )

    def predict_iter(
        self,
        input: Any,  # noqa: A002 (PaddleOCR's name)
        *,
        use_doc_orientation_classify: bool | None = None,
        use_doc_unwarping: bool | None = None,
        use_textline_orientation: bool | None = None,
        text_det_limit_side_len: int | None = None,
        text_det_limit_type: str | None = None,
        text_det_thresh: float | None = None,
        text_det_box_thresh: float | None = None,
        text_det_unclip_ratio: float | None = None,
        text_rec_score_thresh: float | None = None,
        return_word_box: bool | None = None,
    ) -> Iterator[OCRResult]:
        """Read files as `OCRClient.predict()` does and yield one result per page; None keeps a setting.

        Raises:
            TritonOCRError: a file cannot be read, as in PaddleOCR, where the error ends the call.
        """
        names = set(OPTIONS)
        given = {name: value for name, value in locals().items() if name in names and value is not None}
        results = self.paddlex_pipeline.predict(input, raise_on_error=True, **{**self._options, **given})
        return (result for result in results if isinstance(result, OCRResult))

    def predict(self, input: Any, **options: Any) -> list[OCRResult]:  # noqa: A002 (PaddleOCR's name)
        """Read files and return one result per page, with the arguments and errors of `predict_iter()`."""
        return list(self.predict_iter(input, **options))

    def ocr(self, img: Any, **options: Any) -> list[OCRResult]:
        """Do as `predict()`; PaddleOCR 2's name of that method."""
        warnings.warn("Please use `predict` instead.", DeprecationWarning, stacklevel=2)
        return self.predict(img, **options)

    def export_paddlex_config_to_yaml(self, yaml_path: str | Path) -> None:
        """Write the configuration to a file that `create_pipeline()` reads."""
        text = json.dumps(self._config, indent=2, ensure_ascii=False)  # JSON is YAML
        Path(yaml_path).write_text(f"{text}\n", encoding="utf-8")

    def close(self) -> None:
        """Close the connection, and stop a server that was started here."""
        self.paddlex_pipeline.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


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


def _choose_models(
    given: dict[str, Any], lang: str | None, ocr_version: str | None, *, is_running_server: bool
) -> dict[str, Any]:
    """Choose models by language and generation, unless `given` names some; return options of requests.

    Raises:
        InvalidInputError: the language or generation is unknown, or no model has both.
    """
    if ocr_version not in (None, *OCR_VERSIONS):
        raise InvalidInputError(f"ocr_version is {ocr_version!r}; expected one of {', '.join(OCR_VERSIONS)}.")
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
        f"No model of {version} reads lang={code!r}; leave out ocr_version, or name a model such as "
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
