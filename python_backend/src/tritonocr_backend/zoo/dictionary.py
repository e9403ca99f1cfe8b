"""Recognition dictionaries: one character (or ligature) a line, in the order of the network's classes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import onnx

from tritonocr_backend.zoo.errors import ModelFormatError

EXTRA_CLASSES = 2
"""CTC blank before the dictionary, a space after it."""


def parse(text: str, *, lacks_space: bool = False) -> tuple[str, ...]:
    """Return the characters of a dictionary file; `lacks_space` appends the missing space character.

    Only LF and CRLF end a line: dictionaries hold U+2028, U+3000 and other characters that
    `str.splitlines` or `strip` would take for white space.
    """
    lines = text.replace("\r\n", "\n").split("\n")
    if lines[-1] == "":
        lines.pop()
    return (*lines, " ") if lacks_space else tuple(lines)


def from_onnx_metadata(path: Path, key: str) -> tuple[str, ...]:
    """Return the characters in the metadata entry `key` of an ONNX file; empty without such an entry.

    Raises:
        ModelFormatError: It is no ONNX file.
    """
    return next((parse(entry.value) for entry in _load(path).metadata_props if entry.key == key), ())


def class_count(path: Path) -> int | None:
    """Classes of a recognition ONNX file: the last dimension of its first output, None where it is open.

    Raises:
        ModelFormatError: It is no ONNX file.
    """
    shape = _load(path).graph.output[0].type.tensor_type.shape
    return shape.dim[-1].dim_value or None if shape.dim else None


def _load(path: Path) -> onnx.ModelProto:
    try:
        model = onnx.load(path, load_external_data=False)
        onnx.checker.check_model(model)
    except Exception as error:  # protobuf's and the checker's errors share no base
        raise ModelFormatError(
            f"{path.name} is not an ONNX model: {' '.join(str(error).split()):.200}"
        ) from None
    return model


def check(characters: Sequence[str], classes: int) -> None:
    """Refuse a dictionary that does not fit a network of `classes` classes (ModelFormatError)."""
    if len(characters) + EXTRA_CLASSES != classes:
        raise ModelFormatError(
            f"a dictionary of {len(characters)} lines needs {len(characters) + EXTRA_CLASSES} classes "
            f"(with blank and space), the network has {classes}"
        )
