"""PaddleOCR 3's class, for code that was written for the package `paddleocr`."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tritonocr_common.options import OPTIONS

from ._arguments import DEFAULT_JOBS, DEFAULT_TIMEOUT_S
from ._options import checked_options
from ._paddleocr_arguments import (
    CONFIG_KEYS,
    choose_models,
    merged_config,
    warn_of_shapes,
    with_new_names,
)
from ._pipeline import create_pipeline
from ._results.result import OCRResult

if TYPE_CHECKING:
    from typing_extensions import Self

    from ._transport.address import Urls
    from ._transport.tls import TLS

_MAX_PAGES = 1000  # the default of the server's limit max_pages


class PaddleOCR:
    """Read files with the constructor and the methods of PaddleOCR 3.

    Results have PaddleOCR's keys and methods. The settings start from those of PaddleX's own `OCR.yaml`, and
    up to 1000 pages of a PDF are read (PaddleOCR has no limit).

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
        warn_of_shapes(text_det_input_shape=text_det_input_shape, text_rec_input_shape=text_rec_input_shape)
        options = {"return_word_box": return_word_box, "max_pages": _MAX_PAGES}
        options |= choose_models(given, lang, ocr_version, is_running_server=url is not None)
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
