"""The `docling_ocr` model: the pipeline under the tensors of Docling's remote OCR.

Docling sends one RGB picture of a page or of a part of it, and expects boxes in pixels of that picture. So
the page is neither turned nor unwarped. Source of the contract: `docling`, `KserveV2OcrModel`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import triton_python_backend_utils as pb_utils
from numpy.typing import NDArray

from tritonocr_backend.core.arrays import Tensors
from tritonocr_backend.triton.ocr import Ocr
from tritonocr_backend.triton.output_tensors import ReadPage
from tritonocr_backend.triton.requests import OcrRequest, parse_request
from tritonocr_backend.triton.telemetry import FileRecord
from tritonocr_backend.triton.tensors import decode_strings, read_inputs

LANGUAGE_NAMES: Final[Mapping[str, str]] = {
    "arabic": "arabic",
    "chinese": "ch",
    "chinese_traditional": "chinese_cht",
    "english": "en",
    "french": "latin",
    "german": "latin",
    "italian": "latin",
    "japanese": "japan",
    "korean": "korean",
    "portuguese": "latin",
    "russian": "cyrillic",
    "spanish": "latin",
}
"""The server's language for the names that Docling's users write; other values are passed on."""

_LINES = frozenset({"rec_texts", "rec_scores", "rec_polys"})


class DoclingOcr(Ocr):
    """`docling_ocr`: one response per picture."""

    def _parse(self, triton_request: pb_utils.InferenceRequest, record: FileRecord) -> OcrRequest:
        tensors = read_inputs(triton_request)
        record.received_bytes = tensors["image"].nbytes
        self._drain_gate.check()
        return parse_request(ocr_inputs(tensors), _LINES, self._settings, self._repository)

    def _tensors(self, pages: list[ReadPage], request: OcrRequest) -> Tensors:
        return docling_tensors(pages[0])


def ocr_inputs(tensors: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return the inputs of `ocr` for Docling's.

    Args:
        tensors: `lang_type` STRING [1, 1] and `image` UINT8 [1, H, W, 3] RGB.

    Raises:
        InvalidInputError: the language is not UTF-8.
    """
    name = str(decode_strings(tensors["lang_type"], "lang_type").ravel()[0]).strip().lower()
    language = LANGUAGE_NAMES.get(name, name)
    inputs = {
        "image": np.ascontiguousarray(tensors["image"][0, :, :, ::-1]),
        "use_doc_orientation_classify": np.array([False]),
        "use_doc_unwarping": np.array([False]),
    }
    return inputs if not language else {**inputs, "lang": np.array([language.encode()], dtype=object)}


def docling_tensors(page: ReadPage) -> dict[str, NDArray[Any]]:
    """Return Docling's outputs.

    Returns:
        `boxes` FP32 [n, 4, 2] in pixels, `txts` STRING [n], `scores` FP32 [n].
    """
    lines = page.result.lines
    quads = page.result.boxes.quads[[line.box_index for line in lines]] if lines else np.empty((0, 4, 2))
    return {
        "boxes": quads.astype(np.float32),
        "txts": np.array([line.text for line in lines], dtype=object),
        "scores": np.array([line.score for line in lines], dtype=np.float32),
    }
