"""What one page yields: PaddleX's OCR result, and the failure that stands in its place."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ._exceptions import TritonOCRError
from ._reading import reading_rows

if TYPE_CHECKING:
    from PIL import Image

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


class OCRResult(dict[str, Any]):
    """The result of one page: a dict with PaddleX's keys, in PaddleX's order.

    `result["rec_texts"]` and the like are as in PaddleX: polygons are int16 arrays [4,2] (int32 where a
    page is larger than int16 can say), `rec_boxes` an array [n,4], scores floats. Beyond PaddleX's keys
    there is `dt_scores`, which the tutorial promises; `return_word_box`, `text_word_boxes` and `text_word`
    are there where words were asked for, as in later PaddleX versions.

    Attributes:
        page: the page's own record, with its size and pictures.
        page_count: pages in the file, also those beyond `max_pages`.
        ok: True; a failure's is False.
    """

    ok: ClassVar[bool] = True

    def __init__(
        self, fields: Mapping[str, Any], page: Page, *, page_count: int = 1, request_id: str = ""
    ) -> None:
        super().__init__(fields)
        self.page = page
        self.page_count = page_count
        self._request_id = request_id

    @classmethod
    def from_page(
        cls,
        page: Page,
        settings: Mapping[str, Any],
        *,
        input_path: str | None = None,
        page_index: int | None = None,
        page_count: int = 1,
        request_id: str = "",
    ) -> OCRResult:
        """Build the result from a page and the value of every option in force."""
        fields = result_fields(page, settings, input_path=input_path, page_index=page_index)
        return cls(fields, page, page_count=page_count, request_id=request_id)

    @property
    def input_path(self) -> str | None:
        """Where the page comes from; None for pixels and bytes."""
        path: str | None = self["input_path"]
        return path

    @property
    def json(self) -> dict[str, Any]:
        """The result in JSON's types: `{"res": {…}}`, as PaddleX has it."""
        return {"res": {key: _plain(value) for key, value in self.items()}}

    @property
    def text(self) -> str:
        """The page's lines in reading order; lines side by side share a row, parted by a space."""
        rows = reading_rows(self["rec_boxes"])
        return "\n".join(" ".join(self["rec_texts"][line] for line in row) for row in rows)

    def print(self, format_json: bool = True, indent: int = 4, ensure_ascii: bool = False) -> None:
        """Print the result.

        Args:
            format_json: as indented JSON; otherwise as Python text.
            indent: spaces a level of the JSON.
            ensure_ascii: escape what is not ASCII in the JSON.
        """
        text = _dumped(self.json, indent, ensure_ascii) if format_json else f"{{'res': {dict(self)}}}"
        sys.stdout.write(text + "\n")

    def save_to_json(self, save_path: str | Path, indent: int = 4, ensure_ascii: bool = False) -> Path:
        """Write the inner object of `json` to a file.

        Args:
            save_path: the file, or a directory that gets `{stem}_res.json` (a page of a PDF:
                `{stem}_{page}_res.json`). A path without a suffix is a directory and is made.
            indent: spaces a level.
            ensure_ascii: escape what is not ASCII.
        """
        path = self._target(save_path, "_res.json")
        path.write_text(_dumped(self.json["res"], indent, ensure_ascii), encoding="utf-8")
        return path

    @property
    def stem(self) -> str:
        """What the names of saved files start with."""
        stem = Path(self.input_path).stem if self.input_path else f"image_{self._request_id[:8]}"
        page_index = self["page_index"]
        return stem if page_index is None else f"{stem}_{page_index}"

    def _target(self, save_path: str | Path, ending: str) -> Path:
        path = Path(save_path)
        if path.suffix and not path.is_dir():
            path.parent.mkdir(parents=True, exist_ok=True)
            return path
        path.mkdir(parents=True, exist_ok=True)
        return path / f"{self.stem}{ending}"


@dataclass(frozen=True)
class OCRFailure:
    """Stands in the place of a file that could not be read, so that the others go on.

    Its methods do what they can do for a failure: they print and log it, and write no file.
    """

    input_path: str | None
    error: TritonOCRError
    ok: ClassVar[bool] = False

    @property
    def json(self) -> dict[str, Any]:
        """`{"error": {"input_path", "type", "message"}}`."""
        return {
            "error": {
                "input_path": self.input_path,
                "type": type(self.error).__name__,
                "message": str(self.error),
            }
        }

    @property
    def img(self) -> dict[str, Image.Image]:
        """No pictures."""
        return {}

    @property
    def text(self) -> str:
        """No text."""
        return ""

    def print(self, format_json: bool = True, indent: int = 4, ensure_ascii: bool = False) -> None:
        """Print the failure on standard error."""
        text = _dumped(self.json, indent, ensure_ascii) if format_json else str(self)
        sys.stderr.write(text + "\n")

    def __str__(self) -> str:
        return f"{self.input_path or 'the input'}: {self.error}"


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


def _dumped(value: Any, indent: int, ensure_ascii: bool) -> str:
    return json.dumps(value, indent=indent, ensure_ascii=ensure_ascii)


def _plain(value: Any) -> Any:
    """Turn arrays into lists, all the way down."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value
