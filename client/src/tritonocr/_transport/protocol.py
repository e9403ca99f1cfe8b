"""The tensors of the `ocr` model: encode a request, decode a response. Pure functions.

The names, types and shapes are those of `model_repository/ocr/config.pbtxt`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._exceptions import InvalidInputError, ProtocolError
from .._options import DEFAULTS, OPTIONS
from .._results.page import PageMessage, PageRecord, PlacedTexts
from .._results.result import OCRResult

NUMPY_DTYPES: dict[str, Any] = {
    "BOOL": np.bool_,
    "UINT8": np.uint8,
    "INT32": np.int32,
    "FP32": np.float32,
    "BYTES": np.object_,
}

MAX_INPUT_BYTES = 2**31 - 2**20  # gRPC's largest message, without the options

_Tensors = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Output:
    """An output tensor: its Triton datatype, and the shape of one row."""

    datatype: str
    row_shape: tuple[int, ...] = ()


PER_PAGE = {
    "page_sizes": Output("INT32", (2,)),
    "doc_angle": Output("INT32"),
    "unwarped": Output("BOOL"),
    "max_candidates_reached": Output("BOOL"),
    "page_warnings": Output("BYTES"),
    "page_errors": Output("BYTES"),
}
PER_FILE = {"page_count": Output("INT32"), "settings": Output("BYTES")}
PER_BOX = {
    "dt_page_index": Output("INT32"),
    "dt_polys": Output("INT32", (4, 2)),
    "dt_scores": Output("FP32"),
    "textline_orientation_angles": Output("INT32"),
}
PER_LINE = {
    "page_index": Output("INT32"),
    "rec_texts": Output("BYTES"),
    "rec_scores": Output("FP32"),
    "rec_polys": Output("INT32", (4, 2)),
    "rec_boxes": Output("INT32", (4,)),
    "reading_order": Output("INT32"),
    "row_index": Output("INT32"),
    "block_index": Output("INT32"),
    "block_kind": Output("BYTES"),
}
LINE_SOURCES = {"rec_sources": Output("BYTES")}
PER_WORD = {
    "word_line_index": Output("INT32"),
    "word_texts": Output("BYTES"),
    "word_boxes": Output("INT32", (4,)),
    "word_polys": Output("INT32", (4, 2)),
    "word_scores": Output("FP32"),
}
PER_CHARACTER = {name.replace("word", "char"): output for name, output in PER_WORD.items()}
PAGE_IMAGES = {"input_images": Output("BYTES"), "preprocessed_images": Output("BYTES")}
_ALWAYS = {**PER_PAGE, **PER_FILE, **PER_BOX, **PER_LINE}
OUTPUTS = {**_ALWAYS, **LINE_SOURCES, **PER_WORD, **PER_CHARACTER, **PAGE_IMAGES}


@dataclass(frozen=True, eq=False)
class Tensor:
    """An input tensor; `datatype` is Triton's name of the type, such as FP32."""

    name: str
    datatype: str
    array: NDArray[Any]


@dataclass(frozen=True, eq=False)
class Request:
    """One inference request, for any transport.

    Attributes:
        model_name: name of the Triton model.
        request_id: the request's name in the server's log.
        inputs: input tensors.
        outputs: names of the requested output tensors.
        is_streamed: whether the model is decoupled and sends one response per page.
        headers: sent in addition to the client's own.
    """

    model_name: str
    request_id: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[str, ...]
    is_streamed: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)


def encode_request(
    file: bytes | NDArray[np.uint8],
    options: Mapping[str, Any],
    *,
    request_id: str,
    model_name: str = "ocr",
    is_streamed: bool = False,
    headers: Mapping[str, str] | None = None,
) -> Request:
    """Build the request for one file or image.

    Args:
        file: the bytes of an image or PDF file, or the pixels of an image [H,W,3] BGR uint8.
        options: checked options, without None.
        request_id: the request's name in the server's log.
        model_name: name of the Triton model, `ocr` or `ocr_stream`.
        is_streamed: whether the model is decoupled and sends one response per page.
        headers: sent in addition to the client's own.

    Raises:
        InvalidInputError: the file is empty, or the pixels have another type or shape.
    """
    inputs = [_input_tensor(file), *(_option_tensor(name, value) for name, value in options.items())]
    return Request(model_name, request_id, tuple(inputs), wanted_outputs(options), is_streamed, headers or {})


def wanted_outputs(options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the outputs to request; the server does not compute the others."""
    words = PER_WORD if options.get("return_word_box") else {}
    characters = PER_CHARACTER if options.get("return_char_box") else {}
    images = PAGE_IMAGES if options.get("return_page_images") else {}
    sources = LINE_SOURCES if options.get("pdf_text", "ocr") != "ocr" else {}
    return tuple({**_ALWAYS, **sources, **words, **characters, **images})


def _input_tensor(file: bytes | NDArray[np.uint8]) -> Tensor:
    if isinstance(file, np.ndarray):
        return Tensor("image", "UINT8", _checked_image(file))
    return Tensor("file", "BYTES", np.array([_checked_file(file)], dtype=np.object_))


def _checked_file(file: Any) -> bytes:
    if not isinstance(file, (bytes, bytearray, memoryview)):
        raise InvalidInputError(f"The file is a {type(file).__name__}; expected bytes or a numpy array.")
    if not file:
        raise InvalidInputError("The file is empty; expected the bytes of an image or PDF.")
    _check_size(len(file))
    return bytes(file)


def _check_size(byte_count: int) -> None:
    if byte_count > MAX_INPUT_BYTES:
        raise InvalidInputError(
            f"The input has {byte_count} bytes; expected at most {MAX_INPUT_BYTES} (gRPC's limit)."
        )


def _checked_image(image: NDArray[Any]) -> NDArray[np.uint8]:
    if image.dtype != np.uint8:
        raise InvalidInputError(f"The image has dtype {image.dtype}; expected uint8.")
    if image.ndim == 2:
        image = np.repeat(image[:, :, None], 3, axis=2)
    if image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise InvalidInputError(
            f"The image has shape {image.shape}; expected [height, width, 3] in BGR order."
        )
    _check_size(image.nbytes)
    return np.ascontiguousarray(image)


def _option_tensor(name: str, value: bool | int | float | str) -> Tensor:
    datatype = OPTIONS[name].datatype
    content = value.encode() if isinstance(value, str) else value
    # A number beyond float32 becomes infinite; the server rejects it with the option's name and range.
    with np.errstate(over="ignore"):
        return Tensor(name, datatype, np.array([content], dtype=NUMPY_DTYPES[datatype]))


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
    columns = {name: _column(tensors, name) for name in request.outputs}
    for name in PER_FILE:
        if columns[name].shape != (1,):
            raise ProtocolError(f"The answer's {name!r} has shape {columns[name].shape}; expected [1].")
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
