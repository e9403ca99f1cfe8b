"""Read recognition dictionaries: one character or ligature per line, in the order of the classes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import onnx

from tritonocr_backend.zoo.errors import ModelFormatError

EXTRA_CLASSES = 2
"""The classes that are not in a dictionary: the CTC blank before it, and a space after it."""


def parse(text: str, *, lacks_space: bool = False) -> tuple[str, ...]:
    """Return the characters of a dictionary; `lacks_space` appends the space that the file has lost.

    Only LF and CRLF end a line. Dictionaries contain U+2028, U+3000 and other characters that
    `str.splitlines` and `strip` treat as white space.
    """
    lines = text.replace("\r\n", "\n").split("\n")
    if lines[-1] == "":
        lines.pop()
    return (*lines, " ") if lacks_space else tuple(lines)


def from_onnx_metadata(path: Path, key: str) -> tuple[str, ...]:
    """Return the dictionary in the metadata entry `key` of an ONNX file; empty if the entry is missing.

    Raises:
        ModelFormatError: the file is not an ONNX model.
    """
    return next((parse(entry.value) for entry in _load(path).metadata_props if entry.key == key), ())


def class_count(path: Path) -> int | None:
    """Return the number of classes of a recognition model: the last dimension of its first output.

    The result is None if the dimension is dynamic.

    Raises:
        ModelFormatError: the file is not an ONNX model.
    """
    shape = _load(path).graph.output[0].type.tensor_type.shape
    return shape.dim[-1].dim_value or None if shape.dim else None


def _load(path: Path) -> onnx.ModelProto:
    try:
        model = onnx.load(path, load_external_data=False)
        onnx.checker.check_model(model)
    except Exception as error:  # the errors of protobuf and of the checker have no common base class
        raise ModelFormatError(
            f"{path.name} is not an ONNX model: {' '.join(str(error).split()):.200}"
        ) from None
    return model


def check(characters: Sequence[str], classes: int) -> None:
    """Check that a dictionary fits a network.

    Args:
        characters: the dictionary, without the CTC blank and the closing space.
        classes: number of classes of the network.

    Raises:
        ModelFormatError: the network has a different number of classes.
    """
    if len(characters) + EXTRA_CLASSES != classes:
        raise ModelFormatError(
            f"a dictionary of {len(characters)} lines needs {len(characters) + EXTRA_CLASSES} classes "
            f"(with blank and space), the network has {classes}"
        )
