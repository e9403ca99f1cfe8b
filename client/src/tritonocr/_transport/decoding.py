"""Decode a response of the `ocr` model to results. Pure functions."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._exceptions import ProtocolError
from .._options import DEFAULTS
from .._results.page import PageMessage, PageRecord, PlacedTexts
from .._results.result import OCRResult
from .output_tensors import NUMPY_DTYPES, OUTPUTS, PER_FILE
from .protocol import Request

_Tensors = Mapping[str, NDArray[Any]]


def decode_response(
    tensors: _Tensors,
    request: Request,
    *,
    input_path: str | None,
    is_pdf: bool,
    first_page: int = 0,
    original: bytes | None = None,
) -> list[OCRResult]:
    """Build one result per page from the tensors of a response.

    Args:
        tensors: the output tensors by name.
        request: the request: it states the required outputs, and its id names the files of results without
            an input path.
        input_path: `input_path` of the results; None for pixels and bytes.
        is_pdf: whether a single page has an index, as pages of PDFs have in PaddleX.
        first_page: the index in the file of the response's first page.
        original: `original` of the results.

    Raises:
        ProtocolError: a tensor is missing or does not have the contract's shape.
    """
    columns = _columns(tensors, request.outputs)
    page_count = int(columns["page_count"][0])
    settings = _settings(columns["settings"][0])
    box_pages, line_pages = columns["dt_page_index"], columns["page_index"]
    words = _placed_by_line(columns, "word") if "word_texts" in columns else None
    characters = _placed_by_line(columns, "char") if "char_texts" in columns else None
    has_index = is_pdf or page_count > 1
    return [
        OCRResult.from_page(
            _page(columns, row, box_pages == number, line_pages == number, words, characters),
            settings,
            input_path=input_path,
            page_index=number if has_index else None,
            page_count=page_count,
            request_id=request.request_id,
            original=original,
        )
        for row, number in enumerate(range(first_page, first_page + len(columns["doc_angle"])))
    ]


def _settings(text: bytes | str) -> dict[str, Any]:
    """Return the options in force as the server states them; the table's defaults for all others."""
    try:
        return {**DEFAULTS, **json.loads(text)}
    except (ValueError, TypeError) as error:
        raise ProtocolError(f"The answer's 'settings' is {_text(text)!r}; expected a JSON object.") from error


def _columns(tensors: _Tensors, names: Iterable[str]) -> dict[str, NDArray[Any]]:
    """Return the output tensors of a response, and check their shapes."""
    columns = {name: _column(tensors, name) for name in names}
    for name in PER_FILE:
        if columns[name].shape != (1,):
            raise ProtocolError(f"The answer's {name!r} has shape {columns[name].shape}; expected [1].")
    return columns


def _column(tensors: _Tensors, name: str) -> NDArray[Any]:
    output = OUTPUTS[name]
    if name not in tensors:
        raise ProtocolError(f"The server's answer lacks the tensor {name!r}.")
    array = tensors[name]
    if not array.size:  # an empty tensor may come without its type and rank
        return np.empty((0, *output.row_shape), dtype=NUMPY_DTYPES[output.datatype])
    if array.shape[1:] != output.row_shape:
        expected = ["n", *output.row_shape]
        raise ProtocolError(f"The answer's {name!r} has shape {array.shape}; expected {expected}.")
    return array


def _placed_by_line(columns: _Tensors, kind: str) -> list[PlacedTexts]:
    """Return the words or characters of each line in the response."""
    line_index = columns[f"{kind}_line_index"]
    order = np.argsort(line_index, kind="stable")
    starts = np.searchsorted(line_index[order], np.arange(1, len(columns["rec_texts"])))
    rows_of_line = np.split(order, starts) if len(columns["rec_texts"]) else []
    return [
        PlacedTexts(
            [_text(columns[f"{kind}_texts"][row]) for row in rows],
            columns[f"{kind}_boxes"][rows],
            columns[f"{kind}_polys"][rows],
            columns[f"{kind}_scores"][rows],
        )
        for rows in rows_of_line
    ]


def _page(
    columns: _Tensors,
    row: int,
    boxes: NDArray[np.bool_],
    lines: NDArray[np.bool_],
    words: list[PlacedTexts] | None,
    characters: list[PlacedTexts] | None,
) -> PageRecord:
    height, width = (int(side) for side in columns["page_sizes"][row])
    return PageRecord(
        height=height,
        width=width,
        angle=int(columns["doc_angle"][row]),
        unwarped=bool(columns["unwarped"][row]),
        max_candidates_reached=bool(columns["max_candidates_reached"][row]),
        dt_polys=columns["dt_polys"][boxes],
        dt_scores=columns["dt_scores"][boxes],
        textline_orientation_angles=columns["textline_orientation_angles"][boxes],
        rec_texts=[_text(text) for text in columns["rec_texts"][lines]],
        rec_scores=columns["rec_scores"][lines],
        rec_polys=columns["rec_polys"][lines],
        rec_boxes=columns["rec_boxes"][lines],
        reading_order=columns["reading_order"][lines],
        row_index=columns["row_index"][lines],
        block_index=columns["block_index"][lines],
        block_kind=[_text(kind) for kind in columns["block_kind"][lines]],
        rec_sources=_sources(columns, lines),
        words=None if words is None else [words[line] for line in np.flatnonzero(lines)],
        characters=None if characters is None else [characters[line] for line in np.flatnonzero(lines)],
        input_image=_picture(columns, "input_images", row),
        preprocessed_image=_picture(columns, "preprocessed_images", row),
        warnings=_messages(columns, "page_warnings", row),
        error=next(iter(_messages(columns, "page_errors", row)), None),
    )


def _sources(columns: _Tensors, lines: NDArray[np.bool_]) -> list[str] | None:
    if "rec_sources" not in columns:
        return None
    return [_text(source) for source in columns["rec_sources"][lines]]


def _messages(columns: _Tensors, name: str, row: int) -> tuple[PageMessage, ...]:
    """Parse one row of JSON: an array of messages, one message, or nothing."""
    text = columns[name][row]
    try:
        content = json.loads(text) if text else []
        messages = content if isinstance(content, list) else [content]
        return tuple(PageMessage(message["code"], message["message"]) for message in messages)
    except (ValueError, TypeError, KeyError) as error:
        raise ProtocolError(
            f"The answer's {name!r} is {_text(text)!r}; expected JSON objects with a code and a message."
        ) from error


def _picture(columns: _Tensors, name: str, row: int) -> bytes | None:
    pictures, pages = columns.get(name, ()), len(columns["doc_angle"])
    if len(pictures) not in (0, pages):
        raise ProtocolError(f"The answer's {name!r} has {len(pictures)} rows for {pages} pages.")
    return bytes(pictures[row]) or None if len(pictures) else None


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode("utf-8")
