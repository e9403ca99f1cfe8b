"""The output tensors of the `ocr` model, as in `model_repository/ocr/config.pbtxt`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

NUMPY_DTYPES: dict[str, Any] = {
    "BOOL": np.bool_,
    "UINT8": np.uint8,
    "INT32": np.int32,
    "FP32": np.float32,
    "BYTES": np.object_,
}


@dataclass(frozen=True)
class Output:
    """An output tensor: its Triton datatype, and the shape of one row."""

    datatype: str
    row_shape: tuple[int, ...] = ()


PER_PAGE = {
    "page_sizes": Output("INT32", (2,)),
    "doc_angle": Output("INT32"),
    "unwarped": Output("BOOL"),
    "max_candidates_reached": Output("BOOL"),
    "page_warnings": Output("BYTES"),
    "page_errors": Output("BYTES"),
}
PER_FILE = {"page_count": Output("INT32"), "settings": Output("BYTES")}
PER_BOX = {
    "dt_page_index": Output("INT32"),
    "dt_polys": Output("INT32", (4, 2)),
    "dt_scores": Output("FP32"),
    "textline_orientation_angles": Output("INT32"),
}
PER_LINE = {
    "page_index": Output("INT32"),
    "rec_texts": Output("BYTES"),
    "rec_scores": Output("FP32"),
    "rec_polys": Output("INT32", (4, 2)),
    "rec_boxes": Output("INT32", (4,)),
    "reading_order": Output("INT32"),
    "row_index": Output("INT32"),
    "block_index": Output("INT32"),
    "block_kind": Output("BYTES"),
}
LINE_SOURCES = {"rec_sources": Output("BYTES")}
PER_WORD = {
    "word_line_index": Output("INT32"),
    "word_texts": Output("BYTES"),
    "word_boxes": Output("INT32", (4,)),
    "word_polys": Output("INT32", (4, 2)),
    "word_scores": Output("FP32"),
}
PER_CHARACTER = {name.replace("word", "char"): output for name, output in PER_WORD.items()}
PAGE_IMAGES = {"input_images": Output("BYTES"), "preprocessed_images": Output("BYTES")}
ALWAYS = {**PER_PAGE, **PER_FILE, **PER_BOX, **PER_LINE}
OUTPUTS = {**ALWAYS, **LINE_SOURCES, **PER_WORD, **PER_CHARACTER, **PAGE_IMAGES}
