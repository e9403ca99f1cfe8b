"""From the argument of `predict()` to a list of files, each with the function that reads its content."""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .._exceptions import InvalidInputError
from .content import SUFFIXES, UNSUPPORTED_SUFFIXES, File, is_document_name
from .pillow import bgr_from_pil, is_pil_image
from .urls import data_url_content, fetch, is_data_url, is_url

_logger = logging.getLogger("tritonocr")
_SHOWN_CHARACTERS = 200


@dataclass(frozen=True)
class Source:
    """One file to read.

    Attributes:
        input_path: the path or URL; None for pixels and bytes.
        load: reads the content; raises InvalidInputError.
    """

    input_path: str | None
    load: Callable[[], File]


def is_single(data: Any) -> bool:
    """Return whether an argument is one file; its failure is then the failure of the call."""
    if isinstance(data, (str, os.PathLike)):
        return is_url(data) or not data or not is_directory(data)
    if isinstance(data, (bytes, bytearray, memoryview)) or is_pil_image(data) or _is_open_file(data):
        return True
    return _is_pixels(data) or isinstance(data, Mapping) or not isinstance(data, Iterable)


def sources(data: Any, *, recursive: bool = False) -> Iterable[Source]:
    """List the files of an argument in order; the files of a directory are sorted by path.

    An element that cannot be read does not raise here: its own `load` raises, so that the others are read.

    Args:
        data: an ndarray uint8 [H,W,3] BGR, [H,W] or [H,W,1], file bytes, a PIL image, a file opened in binary
            mode, a path, an http(s) URL, a directory, or an iterable of those.
        recursive: search the subdirectories of directories too.

    Returns:
        A list; or an iterator if `data` is an iterator.
    """
    found = _sources(data, recursive)
    return found if isinstance(data, Iterator) and not _is_open_file(data) else list(found)


def _sources(data: Any, recursive: bool) -> Iterator[Source]:
    if isinstance(data, (bytes, bytearray, memoryview)):
        yield Source(None, lambda: bytes(data))
    elif isinstance(data, (str, os.PathLike)):
        yield from _named(data, recursive)
    elif is_pil_image(data):
        yield Source(None, lambda: bgr_from_pil(data))
    elif _is_open_file(data):
        yield Source(_name_of_file(data), lambda: _read_open_file(data))
    elif _is_pixels(data):
        yield Source(None, lambda: np.asarray(data))
    elif isinstance(data, Iterable) and not isinstance(data, Mapping):
        for element in data:
            yield from _sources(element, recursive)
    else:
        kind = type(data).__name__
        yield _broken(
            None,
            f"The input is of type {kind}; expected an array, bytes, a path, a URL, a PIL image, an open "
            "file, or a list of these.",
        )


def _is_pixels(data: Any) -> bool:
    """Return whether a value is an array of numbers, also of another library that numpy can read."""
    if isinstance(data, np.ndarray):
        return data.dtype.kind not in "OSU"  # an array of paths is a list
    return hasattr(data, "__array__") and getattr(data, "ndim", 0) >= 2


def _is_open_file(data: Any) -> bool:
    return callable(getattr(data, "read", None)) and not isinstance(data, (str, os.PathLike))


def _name_of_file(file: Any) -> str | None:
    name = getattr(file, "name", None)
    return name if isinstance(name, str) and is_document_name(Path(name).name) else None


def _read_open_file(file: Any) -> bytes:
    """Read an open file from its position to its end.

    Raises:
        InvalidInputError: it is closed, cannot be read, or was opened in text mode.
    """
    if isinstance(file, io.TextIOBase):
        raise InvalidInputError("The input is a file opened in text mode; open it with mode 'rb'.")
    try:
        content = file.read()
    except (OSError, ValueError) as error:
        raise InvalidInputError(f"Cannot read the open file: {error}.") from error
    if isinstance(content, (bytes, bytearray, memoryview)):
        return bytes(content)
    if hasattr(content, "close"):
        content.close()  # a coroutine: it will not be awaited
    raise InvalidInputError(f"The open file's read() returned {type(content).__name__}; expected bytes.")


def _named(name: str | os.PathLike[Any], recursive: bool) -> Iterator[Source]:
    text = os.fsdecode(name)
    if is_data_url(name):
        yield Source(None, lambda: data_url_content(text))
    elif is_url(name):
        yield Source(text, lambda: fetch(text))
    elif not text:  # for example an unset variable; Path would take it for the current directory
        yield _broken(None, "The input is an empty string; expected a path or a URL.")
    elif is_directory(text):
        yield from _files_of(text, recursive)
    else:
        yield Source(text, lambda: read(text))


def _files_of(name: str, recursive: bool) -> Iterator[Source]:
    try:
        found = files_in(Path(name), recursive=recursive)
    except OSError as error:
        yield _broken(name, f"Cannot list the directory {name!r}: {error.strerror or error}.")
        return
    yield from (Source(str(file), partial(read, str(file))) for file in found)
    if not found:
        yield _broken(name, f"The directory {name!r} holds no {', '.join(sorted(SUFFIXES))} file.")


def _broken(input_path: str | None, sentence: str) -> Source:
    def load() -> File:
        raise InvalidInputError(sentence)

    return Source(input_path, load)


def is_directory(name: str | os.PathLike[Any]) -> bool:
    """Return whether a directory has this name; false for text that cannot be a name."""
    try:
        return Path(name).is_dir()
    except (OSError, ValueError):  # too long, or with a NUL
        return False


def files_in(directory: Path, *, recursive: bool = False) -> list[Path]:
    """List the images and PDFs of a directory, sorted by path; log the pictures that it cannot read.

    Raises:
        OSError: the directory cannot be listed.
    """
    entries = list(directory.rglob("*") if recursive else directory.iterdir())
    skipped = sorted({path.suffix.lower() for path in entries} & UNSUPPORTED_SUFFIXES)
    if skipped:
        _logger.warning("%s: files of type %s are not supported and skipped", directory, ", ".join(skipped))
    return sorted(path for path in entries if is_document_name(path.name) and path.is_file())


def missing_file(source: Source) -> InvalidInputError | None:
    """Return the error of a source that names no file and no URL; None for all others."""
    name = source.input_path
    if name is None or is_url(name) or (os.path.lexists(name) and not is_directory(name)):
        return None
    try:
        source.load()
    except InvalidInputError as error:
        return error
    return None


def read(name: str) -> bytes:
    """Read a file.

    Raises:
        InvalidInputError: the file does not exist or cannot be read.
    """
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise InvalidInputError(f"Cannot read {_shown(name)}: {error.strerror or error}.") from error
    except ValueError as error:
        raise InvalidInputError(f"Cannot read {_shown(name)}: {error}.") from error


def _shown(name: str) -> str:
    """Quote a name for a message; a very long text is probably the content of a file."""
    if len(name) <= _SHOWN_CHARACTERS:
        return repr(name)
    return f"{name[:40]!r}… (a text of {len(name)} characters; decode Base64 text to bytes first)"
