"""One page as the server tells it, and its layout under PaddleX's keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_INT16_MAX = np.iinfo(np.int16).max


@dataclass(frozen=True, eq=False)
class Page:
    """One page of the server's answer; coordinates are pixels of the page after rotation and unwarping.

    Attributes:
        height: pixels, of the decoded page before any preprocessing; likewise `width`.
        angle: degrees counter-clockwise the page was turned by; -1 where orientation was off.
        max_candidates_reached: whether detection stopped at its limit of boxes, so that lines may be missing.
        dt_polys: [n,4,2] corners of every detected box, clockwise from the top left.
        dt_scores: [n] mean probability in each box.
        textline_orientation_angles: [n] class of each box: 0, 1 (upside-down), or -1 where it was off.
        rec_texts: the text of each line kept.
        rec_scores: [m] of each line kept; likewise `rec_polys` [m,4,2] and `rec_boxes` [m,4].
        words: per line kept, its words with their boxes [xmin,ymin,xmax,ymax]; None unless asked for.
        input_image: the encoded picture of the page, if asked for.
        preprocessed_image: the same after rotation and unwarping; None where both were off.
    """

    height: int
    width: int
    angle: int
    max_candidates_reached: bool
    dt_polys: NDArray[np.integer[Any]]
    dt_scores: NDArray[np.floating[Any]]
    textline_orientation_angles: NDArray[np.integer[Any]]
    rec_texts: list[str]
    rec_scores: NDArray[np.floating[Any]]
    rec_polys: NDArray[np.integer[Any]]
    rec_boxes: NDArray[np.integer[Any]]
    words: list[list[tuple[str, NDArray[np.integer[Any]]]]] | None = None
    input_image: bytes | None = None
    preprocessed_image: bytes | None = None


def result_fields(
    page: Page, settings: Mapping[str, Any], *, input_path: str | None, page_index: int | None
) -> dict[str, Any]:
    """Lay a page out under PaddleX's keys, in PaddleX's order."""
    use_orientation, use_unwarping = page.angle >= 0, bool(settings["use_doc_unwarping"])
    use_doc_preprocessor = use_orientation or use_unwarping
    preprocessing = {
        "input_path": None,  # PaddleX hands its preprocessor pixels
        "page_index": None,
        "model_settings": {
            "use_doc_orientation_classify": use_orientation,
            "use_doc_unwarping": use_unwarping,
        },
        "angle": page.angle,
    }
    words = page.words
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
        **({} if words is None else {"return_word_box": True}),
        "rec_texts": page.rec_texts,
        "rec_scores": page.rec_scores.tolist(),
        "rec_polys": list(_narrow(page.rec_polys)),
        "rec_boxes": _narrow(page.rec_boxes),
        **({} if words is None else _word_fields(words)),
    }


def _word_fields(words: Sequence[Sequence[tuple[str, NDArray[Any]]]]) -> dict[str, Any]:
    boxes = [_narrow(np.array([box for _, box in line], dtype=np.int32).reshape(-1, 4)) for line in words]
    return {"text_word_boxes": boxes, "text_word": [[text for text, _ in line] for line in words]}


def _narrow(coordinates: NDArray[np.integer[Any]]) -> NDArray[np.integer[Any]]:
    """Use PaddleX's int16 wherever the coordinates fit."""
    fits = not coordinates.size or int(np.abs(coordinates).max()) <= _INT16_MAX
    return coordinates.astype(np.int16 if fits else np.int32)
