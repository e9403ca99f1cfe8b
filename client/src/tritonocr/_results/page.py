"""The record of one page, and its fields under PaddleX's keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_INT16_MAX = np.iinfo(np.int16).max


@dataclass(frozen=True)
class PageMessage:
    """A warning or an error of one page.

    Attributes:
        code: the kind, for programs, such as `rendered_smaller` or `too_large`.
        message: one sentence, for people.
    """

    code: str
    message: str


@dataclass(frozen=True, eq=False)
class PlacedTexts:
    """The words or the characters of one line, from its start to its end.

    Attributes:
        texts: [k] text of each word or character.
        boxes: [k,4] xmin, ymin, xmax, ymax of each.
        polys: [k,4,2] corners of each along its line.
        scores: [k] score of each.
    """

    texts: list[str]
    boxes: NDArray[np.integer[Any]]
    polys: NDArray[np.integer[Any]]
    scores: NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class PageRecord:
    """One page of a response. Coordinates are pixels of the page after rotation and unwarping.

    Attributes:
        height: height of the decoded page in pixels, before rotation and unwarping.
        width: width of the same page in pixels.
        angle: degrees counter-clockwise by which the page was turned; -1 if orientation was off.
        unwarped: true if the page was flattened; false if unwarping was off, or the page was flat already.
        max_candidates_reached: true if detection stopped at its limit of boxes. Lines may be missing then.
        dt_polys: [n,4,2] corners of each detected box, clockwise from the top left.
        dt_scores: [n] mean probability in each detected box.
        textline_orientation_angles: [n] class of each box: 0, 1 (upside-down), or -1 if orientation was off.
        rec_texts: [m] text of each line above the score threshold.
        rec_scores: [m] score of each of these lines.
        rec_polys: [m,4,2] corners of each of these lines.
        rec_boxes: [m,4] xmin, ymin, xmax, ymax of each of these lines.
        reading_order: [m] rank of each of these lines in reading order, from 0.
        row_index: [m] row of each of these lines; lines of one row stand side by side.
        block_index: [m] block of each of these lines, counted in reading order from 0.
        block_kind: [m] kind of this block, such as "heading".
        words: the words of each of these lines; None if the request did not ask for words.
        characters: the characters of each of these lines; None if the request did not ask for characters.
        input_image: encoded picture of the page; None if the request did not ask for pictures.
        preprocessed_image: encoded picture after rotation and unwarping; None if both were off.
        rec_sources: [m] "ocr", or "pdf" if the line is the file's own text; None if `pdf_text` is "ocr".
        warnings: what may have cost text of this page.
        error: why this page was not read, while other pages of the file were; None if it was read.
    """

    height: int
    width: int
    angle: int
    unwarped: bool
    max_candidates_reached: bool
    dt_polys: NDArray[np.integer[Any]]
    dt_scores: NDArray[np.floating[Any]]
    textline_orientation_angles: NDArray[np.integer[Any]]
    rec_texts: list[str]
    rec_scores: NDArray[np.floating[Any]]
    rec_polys: NDArray[np.integer[Any]]
    rec_boxes: NDArray[np.integer[Any]]
    reading_order: NDArray[np.integer[Any]]
    row_index: NDArray[np.integer[Any]]
    block_index: NDArray[np.integer[Any]]
    block_kind: list[str]
    words: list[PlacedTexts] | None = None
    characters: list[PlacedTexts] | None = None
    input_image: bytes | None = None
    preprocessed_image: bytes | None = None
    rec_sources: list[str] | None = None
    warnings: tuple[PageMessage, ...] = ()
    error: PageMessage | None = None


def result_fields(
    page: PageRecord, settings: Mapping[str, Any], *, input_path: str | None, page_index: int | None
) -> dict[str, Any]:
    """Return a page's fields under PaddleX's keys, in PaddleX's order."""
    preprocessing = _preprocessing_fields(page, settings)
    use_doc_preprocessor = any(preprocessing["model_settings"].values())
    return {
        "input_path": input_path,
        "page_index": page_index,
        "model_settings": {
            "use_doc_preprocessor": use_doc_preprocessor,
            "use_textline_orientation": bool(settings["use_textline_orientation"]),
        },
        **({"doc_preprocessor_res": preprocessing} if use_doc_preprocessor else {}),
        "dt_polys": list(_narrow(page.dt_polys)),
        "dt_scores": page.dt_scores.tolist(),
        "text_det_params": {
            name: settings[f"text_det_{name}"]
            for name in ("limit_side_len", "limit_type", "thresh", "box_thresh", "unclip_ratio")
        },
        "text_type": "general",
        "textline_orientation_angles": page.textline_orientation_angles.tolist(),
        "text_rec_score_thresh": settings["text_rec_score_thresh"],
        **({} if page.words is None else {"return_word_box": True}),
        "rec_texts": page.rec_texts,
        "rec_scores": page.rec_scores.tolist(),
        "rec_polys": list(_narrow(page.rec_polys)),
        "rec_boxes": _narrow(page.rec_boxes),
        "reading_order": page.reading_order.tolist(),
        "row_index": page.row_index.tolist(),
        "block_index": page.block_index.tolist(),
        "block_kind": page.block_kind,
        **_optional_fields(page),
    }


def _optional_fields(page: PageRecord) -> dict[str, Any]:
    """Return the fields that only some requests or pages have."""
    fields: dict[str, Any] = {}
    if page.rec_sources is not None:
        fields["rec_sources"] = page.rec_sources
    if page.words is not None:
        fields |= _placed_fields("text_word", page.words)
    if page.characters is not None:
        fields |= _placed_fields("text_char", page.characters)
    if page.warnings:
        fields["warnings"] = [asdict(warning) for warning in page.warnings]
    if page.error:
        fields["error"] = asdict(page.error)
    return fields


def _preprocessing_fields(page: PageRecord, settings: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "input_path": None,  # PaddleX's preprocessor gets pixels, not a path
        "page_index": None,
        "model_settings": {
            "use_doc_orientation_classify": page.angle >= 0,
            "use_doc_unwarping": bool(settings["use_doc_unwarping"]),
        },
        "angle": page.angle,
        "unwarped": page.unwarped,
    }


def _placed_fields(key: str, lines: Sequence[PlacedTexts]) -> dict[str, Any]:
    """Return the words or characters of each line; PaddleX has the first two keys, for words."""
    return {
        f"{key}_boxes": [_narrow(line.boxes) for line in lines],
        key: [line.texts for line in lines],
        f"{key}_polys": [_narrow(line.polys) for line in lines],
        f"{key}_scores": [line.scores.tolist() for line in lines],
    }


def _narrow(coordinates: NDArray[np.integer[Any]]) -> NDArray[np.integer[Any]]:
    """Convert coordinates to PaddleX's int16 if they fit, else to int32."""
    fits = not coordinates.size or int(np.abs(coordinates).max()) <= _INT16_MAX
    return coordinates.astype(np.int16 if fits else np.int32)
