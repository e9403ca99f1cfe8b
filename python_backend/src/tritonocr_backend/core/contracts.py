"""Names of models, tensors and metrics: the one place that both sides of every hop take them from."""

from __future__ import annotations

from enum import Enum
from typing import Final


class Role(str, Enum):
    """What a network does in the pipeline; each role has one tensor contract."""

    DOC_ORIENTATION = "doc_orientation"
    DOC_UNWARPING = "doc_unwarping"
    TEXT_DETECTION = "text_detection"
    TEXTLINE_ORIENTATION = "textline_orientation"
    TEXT_RECOGNITION = "text_recognition"


LINE_ROLES: Final = frozenset({Role.TEXTLINE_ORIENTATION, Role.TEXT_RECOGNITION})
"""Networks that see one line at a time: many small images a page."""

IMAGE: Final = "image"

# PaddleX pads lines with 0 after normalisation, which no grey level gives (it is 127.5). So padding has a
# colour of its own, which a recognition network takes as 0.
PADDING_BGR: Final = (254, 1, 254)

DOC_ORIENTATION_SIZE_PX: Final = (224, 224)
LINE_ORIENTATION_SIZE_PX: Final = (80, 160)
LINE_HEIGHT_PX: Final = 48
WIDTH_STEP_PX: Final = 32
"""Line images are padded to multiples of this width, which is also the smallest one."""
MAX_WIDTH_PX: Final = 3200
"""Recognition reads no wider line images."""

# (height, width) in pixels of the image that a network of each role is given; None where it takes any.
IMAGE_SIZES: Final[dict[Role, tuple[int | None, int | None]]] = {
    Role.DOC_ORIENTATION: DOC_ORIENTATION_SIZE_PX,
    Role.DOC_UNWARPING: (None, None),
    Role.TEXT_DETECTION: (None, None),
    Role.TEXTLINE_ORIENTATION: LINE_ORIENTATION_SIZE_PX,
    Role.TEXT_RECOGNITION: (LINE_HEIGHT_PX, None),
}

STRIDE_PX: Final = 32
"""Both sides of a detection network's image are multiples of this."""

MAX_MAP_PIXELS: Final = 4096 * 4096
MAX_MAP_SIDE_PX: Final = 65_536
"""The largest probability map of a page, and its longest side."""

NETWORK_OUTPUTS: Final = {
    Role.DOC_ORIENTATION: ("probabilities",),
    Role.DOC_UNWARPING: ("unwarped",),
    Role.TEXT_DETECTION: ("probability",),
    Role.TEXTLINE_ORIENTATION: ("probabilities",),
    Role.TEXT_RECOGNITION: ("indices", "confidences"),
}

GRID_OUTPUTS: Final = ("grid",)
"""Outputs of an unwarping network that returns its sampling grid instead of the flat image."""

GRID_INPUT_SIZE_PX: Final = (712, 488)
"""(height, width) of the image of UVDoc, and of every grid network whose file does not state a size."""

LOAD_TIME_METRIC: Final = "tritonocr_load_time_seconds"

POSTPROCESS: Final = "text_detection_postprocess"
CROP: Final = "text_crop"
DECODE: Final = "text_recognition_decode"

PIPELINE_MODELS: Final = ("ocr", "ocr_stream", POSTPROCESS, CROP, DECODE)
"""The Python models that every repository holds beside its networks."""

SPAN_COLUMNS: Final = ("line_index", "texts", "spans", "scores")
"""Columns of the decoder's words and characters."""

ADAPTER_MODELS: Final = ("docling_ocr",)
"""The pipeline under the tensors of other programs; served only if asked for."""

READING_MODELS: Final = frozenset({"ocr", "ocr_stream", *ADAPTER_MODELS})
"""Models that take a file or picture and run the whole pipeline."""

STAGE_OUTPUTS: Final = {
    POSTPROCESS: ("polys", "scores", "max_candidates_reached"),
    CROP: (
        "pixels",
        "widths",
        "content_widths",
        "line_index",
        "part_index",
        "starts_word",
        "line_quads",
        "orientation_images",
        "polys_done",
    ),
    DECODE: (
        "texts",
        "scores",
        *(f"word_{column}" for column in SPAN_COLUMNS),
        *(f"char_{column}" for column in SPAN_COLUMNS),
    ),
}
