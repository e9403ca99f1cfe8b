"""Everything that someone may tune, declared once: name, type, default and range.

`PAGE_OPTIONS` are the optional inputs of the `ocr` model, PaddleX's `predict()` options among them, which
the client's table (`tritonocr.OPTIONS`) explains;
`PipelineSettings` is what a repository sets for all requests.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tritonocr_backend.core.contracts import Role
from tritonocr_backend.core.errors import InvalidInputError

PIPELINE_FILE = "pipeline.json"

OptionValue = bool | int | float | str


@dataclass(frozen=True)
class Option:
    """A per-request option.

    Attributes:
        name: input tensor of the `ocr` model, and PaddleX's own name where it has one.
        kind: bool, int, float or str.
        default: value in a new pipeline; "" means "chosen by the server".
        low: smallest allowed value.
        high: largest allowed value.
        choices: allowed strings.
    """

    name: str
    kind: type
    default: OptionValue
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()

    def check(self, value: Any) -> OptionValue:
        """Return the value as this option's kind.

        Raises:
            InvalidInputError: it is of the wrong type, not finite or out of range.
        """
        fits = isinstance(value, self.kind) or (self.kind is float and type(value) is int)
        if not fits or (self.kind is int and isinstance(value, bool)):
            raise InvalidInputError(f"{self.name}: got {value!r}, expected {self.kind.__name__}")
        if self.choices and value not in self.choices:
            raise InvalidInputError(f"{self.name}: got {value!r}, expected one of {', '.join(self.choices)}")
        if self.kind in (int, float):
            self._check_range(value)
        return self.kind(value)  # type: ignore[no-any-return]

    def _check_range(self, value: float) -> None:
        too_low = self.low is not None and not value >= self.low
        too_high = self.high is not None and not value <= self.high
        if too_low or too_high or not np.isfinite(value):
            # A float arrives with 32 bits: 0.1 would show all its digits.
            got = f"{value:g}" if self.kind is float else value
            raise InvalidInputError(f"{self.name}: got {got}, expected {self._range()}")

    def _range(self) -> str:
        if self.high is None:
            return f"at least {self.low:g}"
        return f"{self.low:g} to {self.high:g}"


PAGE_OPTIONS: Mapping[str, Option] = {
    option.name: option
    for option in (
        Option("use_doc_orientation_classify", bool, True),
        Option("use_doc_unwarping", bool, True),
        Option("use_textline_orientation", bool, True),
        Option("text_det_limit_side_len", int, 960, 1, 100_000),
        Option("text_det_limit_type", str, "max", choices=("max", "min")),
        Option("text_det_thresh", float, 0.3, 0, 1),
        Option("text_det_box_thresh", float, 0.6, 0, 1),
        Option("text_det_unclip_ratio", float, 2.0, 0, 100),
        Option("text_rec_score_thresh", float, 0.0, 0, 1),
        Option("text_detection_model_name", str, ""),
        Option("text_recognition_model_name", str, ""),
        Option("lang", str, ""),
        Option("return_word_box", bool, False),
        Option("return_page_images", bool, False),
        Option("max_pages", int, 10, 1, 100_000),
    )
}


@dataclass(frozen=True)
class PipelineSettings:
    """What the `ocr` model of a repository is set to.

    Attributes:
        networks: the network of each role, unless a request names another.
        options: defaults of PAGE_OPTIONS.
        exact: PaddleX's own steps one by one, at batch size 1: slower, and no better (see text_crop).
        max_pixels: the largest page that is decoded.
        max_candidates: the largest number of contours that detection looks at on a page.
        pages_in_flight: how many pages of one file are read at the same time.
        max_file_bytes: the largest file; this and what follows is explained in `limits.LIMITS`.
        max_pages: the largest `max_pages` that a request may ask for.
        max_seconds: for reading a file.
        max_render_seconds: of computing, for rendering a page of a PDF.
        max_render_bytes: of memory, likewise.
        max_queue_size: requests that wait.
        max_queue_seconds: that a request waits.
    """

    networks: dict[Role, str] = field(default_factory=lambda: dict(DEFAULT_NETWORKS))
    options: dict[str, Any] = field(default_factory=lambda: default_options())
    exact: bool = False
    max_pixels: int = 134_217_728
    max_candidates: int = 20_000
    pages_in_flight: int = 4
    max_file_bytes: int = 268_435_456
    max_pages: int = 1000
    max_seconds: int = 300
    max_render_seconds: int = 30
    max_render_bytes: int = 1_073_741_824
    max_queue_size: int = 256
    max_queue_seconds: int = 300


DEFAULT_NETWORKS: Mapping[Role, str] = {
    Role.DOC_ORIENTATION: "PP-LCNet_x1_0_doc_ori",
    Role.DOC_UNWARPING: "UVDoc",
    Role.TEXT_DETECTION: "PP-OCRv4_mobile_det",
    Role.TEXTLINE_ORIENTATION: "PP-LCNet_x1_0_textline_ori",
    Role.TEXT_RECOGNITION: "PP-OCRv4_mobile_rec",
}


def default_options() -> dict[str, OptionValue]:
    """The tutorial's defaults of all options."""
    return {option.name: option.default for option in PAGE_OPTIONS.values()}


def write_pipeline_settings(settings: PipelineSettings, directory: Path) -> None:
    """Write the settings into the `ocr` model's version directory."""
    text = json.dumps(asdict(settings), indent=2, ensure_ascii=False)
    (directory / PIPELINE_FILE).write_text(text + "\n", encoding="utf-8")


def read_pipeline_settings(directory: Path) -> PipelineSettings:
    """Read the settings in the `ocr` model's version directory."""
    values = json.loads((directory / PIPELINE_FILE).read_text(encoding="utf-8"))
    values["networks"] = {Role(role): name for role, name in values["networks"].items()}
    return PipelineSettings(**values)
