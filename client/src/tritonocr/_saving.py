"""Where a result's files go, and in which format."""

from __future__ import annotations

import re
from pathlib import Path

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
        save_path: a file, or a directory: one that exists, or a path without a suffix.
        stem: what the file is called in a directory, with `ending`.
        ending: such as `_res.json`.
    """
    path = Path(save_path)
    if not path.suffix or path.is_dir():
        path = path / f"{stem}{ending}"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


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
