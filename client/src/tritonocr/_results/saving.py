"""Names, encodings and safe writing of a result's files."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import numpy as np

from tritonocr_common.file_formats import JPEG_MAX_SIDE_PX, JPEG_QUALITY
from tritonocr_common.quoting import quoted

from .._exceptions import InvalidInputError

if TYPE_CHECKING:
    from PIL.Image import Image

# The formats that Pillow writes, with each format's longest side in pixels.
_MAX_SIDE_PX = {
    ".bmp": 2**31 - 1,
    ".jpeg": JPEG_MAX_SIDE_PX,
    ".jpg": JPEG_MAX_SIDE_PX,
    ".png": 2**31 - 1,
    ".tif": 2**31 - 1,
    ".tiff": 2**31 - 1,
    ".webp": 16383,
}

# Linux allows 255 bytes per file name; the rest is for a page number and an ending.
_MAX_STEM_BYTES = 200


def input_name(input_path: str) -> Path:
    """Return the file name of a path or URL; a URL's query and host are not part of the name."""
    if "://" not in input_path:
        return Path(Path(input_path).name)
    name = Path(unquote(urlsplit(input_path).path)).name
    return Path(name.replace("\0", "_") or "url")


def shortened(stem: str) -> str:
    """Return a file name's stem of at most 200 bytes; a longer stem ends with its own hash."""
    encoded = os.fsencode(stem)
    if len(encoded) <= _MAX_STEM_BYTES:
        return stem
    digest = hashlib.sha256(encoded).hexdigest()[:8]
    return encoded[: _MAX_STEM_BYTES - 9].decode(errors="ignore") + f"~{digest}"


def output_path(save_path: str | Path, stem: str, ending: str) -> Path:
    """Return the path of the file to write, and make its directory.

    Args:
        save_path: a file, or a directory: an existing one, or a path without a suffix or with a slash at
            its end.
        stem: the start of the file's name in a directory; `ending` follows it.
        ending: such as `_res.json`.
    """
    path = Path(save_path)
    if not path.suffix or str(save_path).endswith("/") or path.is_dir():
        path = path / f"{shortened(stem)}{ending}"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def write_whole(path: Path, content: bytes) -> Path:
    """Write a file under another name, then rename it, so that no reader sees a part of it."""
    return write_pieces(path, [content])


def write_pieces(path: Path, pieces: Iterable[bytes]) -> Path:
    """Write the pieces of a file as they come; see `write_whole`. An error leaves no file."""
    with whole_file(path) as file:
        file.writelines(pieces)
    return path


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for writing under another name, and rename it at the end. An error leaves no file."""
    digest = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]
    part = path.with_name(f".{digest}.part")
    try:
        with part.open("wb") as file:
            yield file
        part.replace(path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        part.unlink(missing_ok=True)


def utf8(text: str) -> bytes:
    r"""Encode text; a file name's byte that is not UTF-8 becomes `\udcXX`, which is also JSON's escape."""
    return text.encode("utf-8", "backslashreplace")


def can_print(text: str, stream: IO[str]) -> bool:
    """Return whether a stream's encoding has every character of the text."""
    try:
        text.encode(getattr(stream, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def printable(text: str, stream: IO[str]) -> str:
    """Return the text with `?` for each character that a stream's encoding lacks."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "replace").decode(encoding)


def encoded_picture(picture: Image, suffix: str) -> bytes:
    """Encode a PIL picture in the format of a file suffix.

    Raises:
        InvalidInputError: the suffix names no picture format, or the format cannot hold the picture.
    """
    from PIL import Image as PILImage

    file_format = PILImage.registered_extensions().get(suffix.lower())
    if file_format not in PILImage.SAVE:
        raise InvalidInputError(
            f"Cannot write a picture as {quoted(suffix)}; expected a suffix like .png or .jpg."
        )
    output = io.BytesIO()
    try:
        picture.save(output, file_format, quality=JPEG_QUALITY)
    except (OSError, ValueError) as error:
        raise InvalidInputError(f"Cannot write the picture as {file_format}: {error}.") from error
    return output.getvalue()


def picture_suffix(input_path: str | None, size_px: tuple[int, int]) -> str:
    """Return the input's suffix if its format allows a picture of this size, else `.png`."""
    suffix = input_name(input_path).suffix if input_path else ""
    return suffix if max(size_px) <= _MAX_SIDE_PX.get(suffix.lower(), 0) else ".png"


def escaped_markdown(text: str) -> str:
    """Escape text so that Markdown shows it unchanged (CommonMark 2.4)."""
    text = re.sub(r"([\\`*_\[\]<>|~&])", r"\\\1", text)
    return re.sub(r"^(\s*)(#|[-+=](?=\s|$|[-=])|\d+(?=[.)]))", _escaped_start, text)


def _escaped_start(match: re.Match[str]) -> str:
    blanks, marker = match.groups()
    return f"{blanks}{marker}\\" if marker.isdigit() else f"{blanks}\\{marker}"


def json_text(value: Any, indent: int, ensure_ascii: bool) -> str:
    """Return the value as indented JSON."""
    return json.dumps(value, indent=indent, ensure_ascii=ensure_ascii)


def plain(value: Any) -> Any:
    """Convert arrays to lists, at every level."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value
