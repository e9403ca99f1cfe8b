"""The rows of the output: one per page or failed file; and their two file formats."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from .._exceptions import TritonOCRError
from .._results.failure import OCRFailure
from .._results.result import OCRResult
from ._storage import StoredFile

_POINTS = pa.list_(pa.list_(pa.list_(pa.int32())))  # n, 4, 2
_BOXES = pa.list_(pa.list_(pa.int32()))  # n, 4

# Not inferred: a part of empty pages must have the same types as all other parts.
SCHEMA = pa.schema(
    [
        ("input_path", pa.string()),
        ("size_bytes", pa.int64()),
        ("mtime_ns", pa.int64()),
        ("page_index", pa.int32()),  # 0 also for images
        ("page_count", pa.int32()),
        ("height", pa.int32()),
        ("width", pa.int32()),
        ("angle", pa.int32()),
        ("text", pa.string()),  # in reading order
        ("rec_texts", pa.list_(pa.string())),
        ("rec_scores", pa.list_(pa.float32())),
        ("rec_polys", _POINTS),
        ("rec_boxes", _BOXES),
        ("reading_order", pa.list_(pa.int32())),
        ("row_index", pa.list_(pa.int32())),
        ("block_index", pa.list_(pa.int32())),
        ("block_kind", pa.list_(pa.string())),
        ("rec_sources", pa.list_(pa.string())),  # null unless pdf_text is auto or only
        ("dt_polys", _POINTS),
        ("dt_scores", pa.list_(pa.float32())),
        ("textline_orientation_angles", pa.list_(pa.int32())),
        ("text_word", pa.list_(pa.list_(pa.string()))),
        ("text_word_boxes", pa.list_(_BOXES)),
        ("text_word_polys", pa.list_(_POINTS)),
        ("text_word_scores", pa.list_(pa.list_(pa.float32()))),
        ("text_char", pa.list_(pa.list_(pa.string()))),
        ("text_char_boxes", pa.list_(_BOXES)),
        ("text_char_polys", pa.list_(_POINTS)),
        ("text_char_scores", pa.list_(pa.list_(pa.float32()))),
        ("warnings", pa.list_(pa.struct([("code", pa.string()), ("message", pa.string())]))),
        ("error_type", pa.string()),  # null where the page was read
        ("error", pa.string()),
    ]
)
_OF_PADDLEX = set(SCHEMA.names) - {"input_path", "page_index"}


def rows(file: StoredFile, results: Sequence[OCRResult | OCRFailure]) -> list[dict[str, Any]]:
    """Return the rows of one file, at least one, each with every column of SCHEMA."""
    known = {"input_path": file.uri, "size_bytes": file.size_bytes, "mtime_ns": file.mtime_ns}
    empty = dict.fromkeys(SCHEMA.names)
    return [{**empty, **known, **_fields(result)} for result in results]


def _fields(result: OCRResult | OCRFailure) -> dict[str, Any]:
    if isinstance(result, OCRFailure):
        return _error_fields(result.error)
    page = result.page
    fields = {name: value for name, value in result.json["res"].items() if name in _OF_PADDLEX}
    return {
        "page_index": result["page_index"] or 0,
        "page_count": result.page_count,
        "height": page.height,
        "width": page.width,
        "angle": page.angle,
        "text": result.text,
        **fields,
        **_error_fields(result.error),
    }


def _error_fields(error: TritonOCRError | None) -> dict[str, str | None]:
    if error is None:
        return {"error_type": None, "error": None}
    return {"error_type": type(error).__name__, "error": str(error)}


def as_parquet(found: Sequence[dict[str, Any]]) -> bytes:
    """Encode rows as a Parquet file."""
    sink = pa.BufferOutputStream()
    parquet.write_table(pa.Table.from_pylist(list(found), SCHEMA), sink, compression="zstd")
    content: bytes = sink.getvalue().to_pybytes()
    return content


def as_jsonl(found: Sequence[dict[str, Any]]) -> bytes:
    """Encode rows as JSON, one object per line."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in found).encode()


def from_parquet(content: bytes) -> list[dict[str, Any]]:
    """Decode the rows of a Parquet file."""
    found: list[dict[str, Any]] = parquet.read_table(pa.BufferReader(content)).to_pylist()
    return found


def from_jsonl(content: bytes) -> list[dict[str, Any]]:
    """Decode rows of JSON, one object per line."""
    return [json.loads(line) for line in content.decode("utf-8").splitlines()]


@dataclass(frozen=True)
class PartFormat:
    """A file format of parts: its writer and its reader."""

    write: Callable[[Sequence[dict[str, Any]]], bytes]
    read: Callable[[bytes], list[dict[str, Any]]]


FORMATS = {"parquet": PartFormat(as_parquet, from_parquet), "jsonl": PartFormat(as_jsonl, from_jsonl)}
