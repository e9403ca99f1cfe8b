"""The table of the options of a request: the one place where an option is declared.

The server's inputs, the client's keyword arguments, the command line, the fields of `POST /ocr`, the web
page, `OCR.yaml` and the tables in the documents are read from this table, or generated from it by
`make generate`.
docs/architecture.md has the recipe for a new option.

Names, meanings and defaults are those of PaddleX's general OCR pipeline where `paddlex_key` is set.
"""

from __future__ import annotations

from collections.abc import Mapping

from tritonocr_common.option import DATATYPES, Option, OptionValue, OptionValueError

__all__ = ["DATATYPES", "OPTIONS", "Option", "OptionValue", "OptionValueError", "default_values"]

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
            "Resolution of rendered PDF pages in dpi; 0: automatic, from the pictures on the page.",
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
            "'ocr': OCR; 'auto': the PDF's text layer if usable, otherwise OCR; 'only': the text layer.",
            title="Text of a PDF",
            group="Page",
            choices=("ocr", "auto", "only"),
            rest_key="pdfText",
        ),
        Option(
            "text_det_limit_side_len",
            int,
            960,
            "Maximum or minimum side length of the page in detection, in pixels, by the limit type.",
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
            "'max': scale the longest side down to the limit; 'min': scale the shortest side up to it.",
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
            "Detection model; a running server must serve it.",
            title="Detection model",
            group="Models",
            yaml_key="SubModules.TextDetection.model_name",
            rest_key="textDetectionModelName",
        ),
        Option(
            "text_recognition_model_name",
            str,
            None,
            "Recognition model; a running server must serve it.",
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
