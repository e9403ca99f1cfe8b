"""Names of models, tensors and metrics, and sizes of images, that models and their callers share."""

from __future__ import annotations

from enum import Enum
from typing import Final


class Role(str, Enum):
    """The task of a network in the pipeline; each role has fixed input and output tensors."""

    DOC_ORIENTATION = "doc_orientation"
    DOC_UNWARPING = "doc_unwarping"
    TEXT_DETECTION = "text_detection"
    TEXTLINE_ORIENTATION = "textline_orientation"
    TEXT_RECOGNITION = "text_recognition"


LINE_ROLES: Final = frozenset({Role.TEXTLINE_ORIENTATION, Role.TEXT_RECOGNITION})
"""Roles whose networks process line images: many small images per page."""

IMAGE: Final = "image"
MODEL_NAME: Final = "model_name"
"""Input of the models that work for several networks: the name of the network."""

# PaddleX pads lines with 0 after normalisation. No uint8 grey level has that value (it would be 127.5), so
# padding has a special colour, which the recognition graph replaces by 0.
PADDING_BGR: Final = (254, 1, 254)

DOC_ORIENTATION_SIZE_PX: Final = (224, 224)
LINE_ORIENTATION_SIZE_PX: Final = (80, 160)
LINE_HEIGHT_PX: Final = 48
WIDTH_STEP_PX: Final = 32
"""Line images are padded to multiples of this width, which is also the smallest width."""
MAX_WIDTH_PX: Final = 3200
"""Largest width of a line image for recognition."""

# (height, width) in pixels of the input image of each role; None: any size.
IMAGE_SIZES: Final[dict[Role, tuple[int | None, int | None]]] = {
    Role.DOC_ORIENTATION: DOC_ORIENTATION_SIZE_PX,
    Role.DOC_UNWARPING: (None, None),
    Role.TEXT_DETECTION: (None, None),
    Role.TEXTLINE_ORIENTATION: LINE_ORIENTATION_SIZE_PX,
    Role.TEXT_RECOGNITION: (LINE_HEIGHT_PX, None),
}

STRIDE_PX: Final = 32
"""Both sides of the input image of detection are multiples of this."""

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

NATIVE_OUTPUTS: Final = {Role.TEXT_DETECTION: ("probability", "probability_uint8")}
"""Outputs of a role in Triton's own backend, where they differ: in uint8, rounded to 1/255, the map
of probabilities is a quarter as many bytes to copy from a GPU."""

GRID_OUTPUTS: Final = ("grid",)
"""Outputs of an unwarping network that returns its sampling grid instead of the flat image."""

GRID_INPUT_SIZE_PX: Final = (712, 488)
"""(height, width) of the input image of UVDoc, and of other grid networks whose file states no size."""

LOAD_TIME_METRIC: Final = "tritonocr_load_time_seconds"

POSTPROCESS: Final = "text_detection_postprocess"
CROP: Final = "text_crop"
DECODE: Final = "text_recognition_decode"

PIPELINE_MODELS: Final = ("ocr", "ocr_stream", POSTPROCESS, CROP, DECODE)
"""The Python models in every repository, in addition to the networks."""

LINE_BATCHING: Final = "line_batching"
"""The Python model that batches lines for networks in Triton's own backend; served only with that backend."""

SPAN_COLUMNS: Final = ("line_index", "texts", "spans", "scores")
"""Output columns of the decoder for words and characters."""

ADAPTER_MODELS: Final = ("docling_ocr",)
"""Models with the tensors of other programs; served only with --adapter."""

READING_MODELS: Final = frozenset({"ocr", "ocr_stream", *ADAPTER_MODELS})
"""Models that take a file or image and run the whole pipeline."""

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
