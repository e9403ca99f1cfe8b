"""The table of the options of a request: the one place where an option is declared.

The server's inputs, the client's keyword arguments, the command line, the fields of `POST /ocr`, the web
page, `OCR.yaml` and the tables in the documents are read from this table, or generated from it by
`make generate`.
docs/architecture.md has the recipe for a new option.

Names, meanings and defaults are those of PaddleX's general OCR pipeline where `paddlex_key` is set.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tritonocr_common.quoting import quoted

OptionValue = bool | int | float | str
Group = Literal["Models", "Page", "Detection", "Answer"]

DATATYPES: Mapping[type, str] = {bool: "BOOL", int: "INT32", float: "FP32", str: "BYTES"}
"""Triton's name of the datatype that carries an option of each type."""

_BOOLEANS = {"true": True, "false": False}
_EXPECTED = {bool: "True or False", int: "an integer", float: "a number", str: "a string"}


class OptionValueError(ValueError):
    """An option's value has the wrong type or is out of range.

    Attributes:
        name: the option.
        got: the value as a person wrote it, shortened.
        expected: the type or range.
    """

    def __init__(self, name: str, got: str, expected: str) -> None:
        super().__init__(f"{name}: got {got}, expected {expected}")
        self.name, self.got, self.expected = name, got, expected


@dataclass(frozen=True)
class Option:
    """An option of a request.

    Attributes:
        name: keyword argument, command-line flag and input tensor of the `ocr` model.
        kind: bool, int, float or str.
        default: the value of a new pipeline; None: the server chooses (only for str).
        help: what the option does, in one sentence.
        title: label on the web page.
        group: section of the web page.
        low: smallest value.
        high: largest value.
        choices: allowed strings; empty: any string.
        paddlex_key: keyword of PaddleX's `predict()`; None: PaddleX has no such option.
        yaml_key: location in PaddleX's `OCR.yaml`, with dots between the sections; None: not in that file.
        rest_key: field of `POST /ocr`; None: the gateway decides.
    """

    name: str
    kind: type
    default: OptionValue | None
    help: str
    title: str
    group: Group
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    paddlex_key: str | None = None
    yaml_key: str | None = None
    rest_key: str | None = None

    @property
    def datatype(self) -> str:
        """Triton's datatype of the input tensor, as clients name it."""
        return DATATYPES[self.kind]

    @property
    def expected(self) -> str:
        """What a value must be, for error messages and documents."""
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        if self.low is None or self.high is None:
            return _EXPECTED[self.kind]
        return f"{self.low:g} to {self.high:g}"

    def check(self, value: Any) -> OptionValue:
        """Return the value as this option's type.

        Raises:
            OptionValueError: the value has another type, is not finite or is out of range.
        """
        fits = isinstance(value, self.kind) or (self.kind is float and type(value) is int)
        if not fits or (self.kind is int and isinstance(value, bool)):
            raise OptionValueError(self.name, quoted(value), _EXPECTED[self.kind])
        if self.choices and value not in self.choices:
            raise OptionValueError(self.name, quoted(value), self.expected)
        if self.kind in (int, float) and not self._is_in_range(value):
            got = f"{value:g}" if self.kind is float else str(value)  # float32 0.1 would show all its digits
            raise OptionValueError(self.name, got, self.expected)
        return self.kind(value)  # type: ignore[no-any-return]

    def parse(self, text: str) -> OptionValue:
        """Read a value from text, such as `True`, `960` or `0.3`.

        Raises:
            OptionValueError: the text is not such a value, or the value is out of range.
        """
        try:
            value = _BOOLEANS[text.strip().lower()] if self.kind is bool else self.kind(text)
        except (KeyError, ValueError):
            raise OptionValueError(self.name, quoted(text), _EXPECTED[self.kind]) from None
        return self.check(value)

    def _is_in_range(self, value: float) -> bool:
        low = -math.inf if self.low is None else self.low
        high = math.inf if self.high is None else self.high
        return math.isfinite(value) and low <= value <= high


OPTIONS: Mapping[str, Option] = {
    option.name: option
    for option in (
        Option(
            "use_doc_orientation_classify",
            bool,
            True,
            "Rotate pages that are turned by 90, 180 or 270 degrees.",
            title="Turn the page upright",
            group="Page",
            paddlex_key="use_doc_orientation_classify",
            yaml_key="SubPipelines.DocPreprocessor.use_doc_orientation_classify",
            rest_key="useDocOrientationClassify",
        ),
        Option(
            "use_doc_unwarping",
            bool,
            True,
            "Flatten photographs of bent pages (UVDoc).",
            title="Flatten a bent page of a photograph",
            group="Page",
            paddlex_key="use_doc_unwarping",
            yaml_key="SubPipelines.DocPreprocessor.use_doc_unwarping",
            rest_key="useDocUnwarping",
        ),
        Option(
            "use_textline_orientation",
            bool,
            True,
            "Rotate text lines that are upside down.",
            title="Turn lines that are upside down",
            group="Page",
            paddlex_key="use_textline_orientation",
            yaml_key="use_textline_orientation",
            rest_key="useTextlineOrientation",
        ),
        Option(
            "pdf_dpi",
            int,
            0,
            "Resolution of rendered PDF pages in dpi; 0: the resolution of the pictures on the page.",
            title="Resolution of PDF pages (0: automatic)",
            group="Page",
            low=0,
            high=1200,
            rest_key="pdfDpi",
        ),
        Option(
            "pdf_text",
            str,
            "ocr",
            "'ocr': OCR; 'auto': the PDF's text layer if it is sound, otherwise OCR; 'only': the text layer.",
            title="Text of a PDF",
            group="Page",
            choices=("ocr", "auto", "only"),
            rest_key="pdfText",
        ),
        Option(
            "text_det_limit_side_len",
            int,
            960,
            "Side length in pixels to which detection scales the page (see text_det_limit_type).",
            title="Side length in pixels",
            group="Detection",
            low=1,
            high=100_000,
            paddlex_key="text_det_limit_side_len",
            yaml_key="SubModules.TextDetection.limit_side_len",
            rest_key="textDetLimitSideLen",
        ),
        Option(
            "text_det_limit_type",
            str,
            "max",
            "'max': shrink the page to at most this side length; 'min': enlarge it to at least this length.",
            title="Scale the page by its",
            group="Detection",
            choices=("max", "min"),
            paddlex_key="text_det_limit_type",
            yaml_key="SubModules.TextDetection.limit_type",
            rest_key="textDetLimitType",
        ),
        Option(
            "text_det_thresh",
            float,
            0.3,
            "Pixels with a probability above this value are text.",
            title="Pixel threshold",
            group="Detection",
            low=0,
            high=1,
            paddlex_key="text_det_thresh",
            yaml_key="SubModules.TextDetection.thresh",
            rest_key="textDetThresh",
        ),
        Option(
            "text_det_box_thresh",
            float,
            0.6,
            "Boxes with at least this mean probability are kept.",
            title="Box threshold",
            group="Detection",
            low=0,
            high=1,
            paddlex_key="text_det_box_thresh",
            yaml_key="SubModules.TextDetection.box_thresh",
            rest_key="textDetBoxThresh",
        ),
        Option(
            "text_det_unclip_ratio",
            float,
            2.0,
            "Ratio by which a detected text region is enlarged to a box.",
            title="Unclip ratio",
            group="Detection",
            low=0,
            high=100,
            paddlex_key="text_det_unclip_ratio",
            yaml_key="SubModules.TextDetection.unclip_ratio",
            rest_key="textDetUnclipRatio",
        ),
        Option(
            "text_rec_score_thresh",
            float,
            0.0,
            "Recognised lines with at least this score are kept.",
            title="Lowest line score",
            group="Answer",
            low=0,
            high=1,
            paddlex_key="text_rec_score_thresh",
            yaml_key="SubModules.TextRecognition.score_thresh",
            rest_key="textRecScoreThresh",
        ),
        Option(
            "text_detection_model_name",
            str,
            None,
            "Detection model; the server must serve it.",
            title="Detection model",
            group="Models",
            yaml_key="SubModules.TextDetection.model_name",
            rest_key="textDetectionModelName",
        ),
        Option(
            "text_recognition_model_name",
            str,
            None,
            "Recognition model; the server must serve it.",
            title="Recognition model",
            group="Models",
            yaml_key="SubModules.TextRecognition.model_name",
            rest_key="textRecognitionModelName",
        ),
        Option(
            "lang",
            str,
            None,
            "Language of the text; the server selects a recognition model for it.",
            title="or language",
            group="Models",
            rest_key="lang",
        ),
        Option(
            "coordinates",
            str,
            "output",
            "'output': pixels of the page after rotation and unwarping; 'input': pixels of the page as sent.",
            title="Coordinates on the page",
            group="Answer",
            choices=("output", "input"),
            rest_key="coordinates",
        ),
        Option(
            "return_word_box",
            bool,
            False,
            "Return the words of each line with their boxes.",
            title="Show words",
            group="Answer",
            paddlex_key="return_word_box",
            rest_key="returnWordBox",
        ),
        Option(
            "return_char_box",
            bool,
            False,
            "Return the characters of each line with their boxes and scores.",
            title="Return characters",
            group="Answer",
            rest_key="returnCharBox",
        ),
        Option(
            "return_page_images",
            bool,
            False,
            "Return an image of each page; drawings and searchable PDFs need it.",
            title="Return page images",
            group="Answer",
        ),
        Option(
            "max_pages",
            int,
            10,
            "Maximum number of pages to read from a PDF or TIFF; the response has the file's page count.",
            title="Largest number of pages",
            group="Answer",
            low=1,
            high=100_000,
            rest_key="maxPages",
        ),
    )
}


def default_values() -> dict[str, OptionValue]:
    """Return the default of each option that has one."""
    return {name: option.default for name, option in OPTIONS.items() if option.default is not None}
