"""The options as types for static checkers; `make generate` writes this file."""

from typing import Literal, TypedDict


class OCROptions(TypedDict, total=False):
    """Options of a request. None, or an absent key, takes the value of the server's pipeline."""

    use_doc_orientation_classify: bool | None
    use_doc_unwarping: bool | None
    use_textline_orientation: bool | None
    pdf_dpi: int | None
    pdf_text: str | None
    text_det_limit_side_len: int | None
    text_det_limit_type: str | None
    text_det_thresh: float | None
    text_det_box_thresh: float | None
    text_det_unclip_ratio: float | None
    text_rec_score_thresh: float | None
    text_detection_model_name: str | None
    text_recognition_model_name: str | None
    lang: str | None
    coordinates: str | None
    return_word_box: bool | None
    return_char_box: bool | None
    return_page_images: bool | None
    max_pages: int | None


class OptionValues(TypedDict):
    """The value of each option in force for a request; "" where the server chose and has no name for it."""

    use_doc_orientation_classify: bool
    use_doc_unwarping: bool
    use_textline_orientation: bool
    pdf_dpi: int
    pdf_text: Literal["ocr", "auto", "only"]
    text_det_limit_side_len: int
    text_det_limit_type: Literal["max", "min"]
    text_det_thresh: float
    text_det_box_thresh: float
    text_det_unclip_ratio: float
    text_rec_score_thresh: float
    text_detection_model_name: str
    text_recognition_model_name: str
    lang: str
    coordinates: Literal["output", "input"]
    return_word_box: bool
    return_char_box: bool
    return_page_images: bool
    max_pages: int
