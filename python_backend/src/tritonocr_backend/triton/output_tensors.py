"""The output tensors of the `ocr` model, made from the results of its pages."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from tritonocr_backend.core.arrays import Image
from tritonocr_backend.core.geometry import bounding_boxes
from tritonocr_backend.core.page_messages import PageError
from tritonocr_backend.documents.pages import Page
from tritonocr_backend.pipeline.reading_order import PageLayout
from tritonocr_backend.pipeline.records import PageResult, PlacedText
from tritonocr_backend.pipeline.text_detection import DetectedBoxes
from tritonocr_common.file_formats import JPEG_MAX_SIDE_PX, JPEG_QUALITY
from tritonocr_common.option_types import OptionValues


@dataclass(frozen=True)
class ReadPage:
    """A page of a file.

    Attributes:
        index: index of the page in the file.
        result: the recognised lines; empty if the page was not read.
        input_image: the encoded image of the page, if the request asks for page images.
        preprocessed_image: likewise after rotation and unwarping.
        error: why the page was not read.
    """

    index: int
    result: PageResult
    input_image: bytes | None = None
    preprocessed_image: bytes | None = None
    error: PageError | None = None

    @classmethod
    def failed(cls, index: int, error: PageError) -> ReadPage:
        """Return a page that was not read: size 0 x 0, no boxes, empty images."""
        pixels = np.empty((0, 0, 3), np.uint8)
        boxes = DetectedBoxes(np.empty((0, 4, 2), np.int32), np.empty(0, np.float32), False)
        none = np.empty(0, np.int32)
        result = PageResult(
            (0, 0), Page(pixels, (0, 0)), -1, None, False, boxes, none, (), PageLayout.empty()
        )
        return cls(index, result, b"", b"", error)


def encode_picture(page: Image) -> bytes:
    """Encode a page as JPEG, or as PNG if a side exceeds JPEG's limit of 65 500 pixels."""
    if max(page.shape[:2]) > JPEG_MAX_SIDE_PX:
        return bytes(cv2.imencode(".png", page)[1])
    return bytes(cv2.imencode(".jpg", page, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1])


def output_tensors(
    pages: Sequence[ReadPage], page_count: int, options: OptionValues
) -> dict[str, NDArray[Any]]:
    """Return all outputs of `ocr` for pages in order; model_repository/README.md has the table.

    Args:
        pages: the pages that were read.
        page_count: number of pages in the file.
        options: the value of each option in force.
    """
    return {
        "page_count": np.array([page_count], dtype=np.int32),
        "settings": _objects([json.dumps(options)]),
        **_page_columns(pages),
        **_box_columns(pages),
        **_line_columns(pages),
        **_placed_columns("word", [line.words for page in pages for line in page.result.lines]),
        **_placed_columns("char", [line.characters for page in pages for line in page.result.lines]),
    }


def _page_columns(pages: Sequence[ReadPage]) -> dict[str, NDArray[Any]]:
    return {
        "page_sizes": _ints([page.result.size for page in pages], 2),
        "doc_angle": _ints([page.result.doc_angle for page in pages]),
        "unwarped": np.array([page.result.unwarped for page in pages], dtype=bool),
        "max_candidates_reached": np.array(
            [page.result.boxes.max_candidates_reached for page in pages], dtype=bool
        ),
        "input_images": _images([page.input_image for page in pages]),
        "preprocessed_images": _images([page.preprocessed_image for page in pages]),
        "page_warnings": _objects(
            [json.dumps([asdict(warning) for warning in page.result.warnings]) for page in pages]
        ),
        "page_errors": _objects([json.dumps(asdict(page.error)) if page.error else "" for page in pages]),
    }


def _box_columns(pages: Sequence[ReadPage]) -> dict[str, NDArray[Any]]:
    boxes = [page.result.boxes for page in pages]
    indices = [page.index for page in pages for _ in page.result.boxes.quads]
    return {
        "dt_page_index": _ints(indices),
        "dt_polys": np.concatenate([np.empty((0, 4, 2), np.int32), *(b.quads for b in boxes)]),
        "dt_scores": np.concatenate([np.empty(0, np.float32), *(b.scores for b in boxes)]),
        "textline_orientation_angles": np.concatenate(
            [np.empty(0, np.int32), *(page.result.line_angles for page in pages)]
        ),
    }


def _line_columns(pages: Sequence[ReadPage]) -> dict[str, NDArray[Any]]:
    lines = [(page, line) for page in pages for line in page.result.lines]
    polys = np.array([page.result.boxes.quads[line.box_index] for page, line in lines], dtype=np.int32)
    polys = polys.reshape(-1, 4, 2)
    return {
        "page_index": _ints([page.index for page, _ in lines]),
        "rec_texts": _objects([line.text for _, line in lines]),
        "rec_scores": np.array([line.score for _, line in lines], dtype=np.float32),
        "rec_sources": _objects([line.source for _, line in lines]),
        "rec_polys": polys,
        "rec_boxes": bounding_boxes(polys),
        **_layout_columns([page.result.layout for page in pages]),
    }


def _layout_columns(layouts: Sequence[PageLayout]) -> dict[str, NDArray[Any]]:
    """Return one row per line; ranks and indices start at 0 on each page."""
    none = np.empty(0, np.int32)
    return {
        "reading_order": np.concatenate([none, *(layout.reading_order for layout in layouts)]),
        "row_index": np.concatenate([none, *(layout.row_index for layout in layouts)]),
        "block_index": np.concatenate([none, *(layout.block_index for layout in layouts)]),
        "block_kind": _objects(
            [layout.block_kinds[block].value for layout in layouts for block in layout.block_index]
        ),
    }


def _placed_columns(kind: str, lines: Sequence[Sequence[PlacedText]]) -> dict[str, NDArray[Any]]:
    """Return one row per word or character of the lines."""
    placed = [(row, text) for row, line in enumerate(lines) for text in line]
    polys = np.array([text.quad for _, text in placed], dtype=np.int32).reshape(-1, 4, 2)
    return {
        f"{kind}_line_index": _ints([row for row, _ in placed]),
        f"{kind}_texts": _objects([text.text for _, text in placed]),
        f"{kind}_boxes": bounding_boxes(polys),
        f"{kind}_polys": polys,
        f"{kind}_scores": np.array([text.score for _, text in placed], dtype=np.float32),
    }


def _images(images: Sequence[bytes | None]) -> NDArray[np.object_]:
    """Return one row per page, or none if no page has an image; the row of a failed page is empty."""
    return _objects([image or b"" for image in images] if any(images) else [])


def _ints(values: Sequence[Any], columns: int | None = None) -> NDArray[np.int32]:
    array = np.array(values, dtype=np.int32)
    return array.reshape(-1, columns) if columns else array


def _objects(values: Sequence[Any]) -> NDArray[np.object_]:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array
