"""Where a result's files go, and in which format."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import TYPE_CHECKING

from .._exceptions import InvalidInputError

if TYPE_CHECKING:
    from PIL.Image import Image

# Of JPEG and WebP; the other formats have no such setting.
_QUALITY = 95

# What Pillow writes, with the longest side that the format can say.
_MAX_SIDE_PX = {
    ".bmp": 2**31 - 1,
    ".jpeg": 65500,
    ".jpg": 65500,
    ".png": 2**31 - 1,
    ".tif": 2**31 - 1,
    ".tiff": 2**31 - 1,
    ".webp": 16383,
}


def output_path(save_path: str | Path, stem: str, ending: str) -> Path:
    """The file to write, its directory made.

    Args:
        save_path: a file, or a directory: one that exists, or a path without a suffix or with a slash at
            its end.
        stem: what the file is called in a directory, with `ending`.
        ending: such as `_res.json`.
    """
    path = Path(save_path)
    if not path.suffix or str(save_path).endswith("/") or path.is_dir():
        path = path / f"{stem}{ending}"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def write_whole(path: Path, content: bytes) -> Path:
    """Write a file so that it is never seen half-written, whatever ends the process."""
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(content)
        return part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(path)) from error


def encoded_picture(picture: Image, suffix: str) -> bytes:
    """Encode a PIL picture in the format that a file's suffix means.

    Raises:
        InvalidInputError: no format has that suffix, or it cannot hold the picture.
    """
    from PIL import Image as PILImage

    file_format = PILImage.registered_extensions().get(suffix.lower())
    if file_format not in PILImage.SAVE:
        raise InvalidInputError(f"Cannot write a picture as {suffix!r}; expected .png, .jpg or so.")
    output = io.BytesIO()
    try:
        picture.save(output, file_format, quality=_QUALITY)
    except (OSError, ValueError) as error:
        raise InvalidInputError(f"Cannot write the picture as {file_format}: {error}.") from error
    return output.getvalue()


def picture_suffix(input_path: str | None, size_px: tuple[int, int]) -> str:
    """The input's own suffix where a picture of this size can be written in its format, else `.png`."""
    suffix = Path(input_path).suffix if input_path else ""
    return suffix if max(size_px) <= _MAX_SIDE_PX.get(suffix.lower(), 0) else ".png"


def escaped_markdown(text: str) -> str:
    """Text that Markdown shows as it is (CommonMark 2.4)."""
    text = re.sub(r"([\\`*_\[\]<>|~&])", r"\\\1", text)
    return re.sub(r"^(\s*)(#|[-+=](?=\s|$|[-=])|\d+(?=[.)]))", _escaped_start, text)


def _escaped_start(match: re.Match[str]) -> str:
    blanks, marker = match.groups()
    return f"{blanks}{marker}\\" if marker.isdigit() else f"{blanks}\\{marker}"
