"""The failure of one input."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from .._exceptions import TritonOCRError
from .saving import json_text, printable

if TYPE_CHECKING:
    from PIL import Image


@dataclass(frozen=True)
class OCRFailure:
    """The error of one input, in the place of its results; the other inputs are not affected.

    It has the methods of `OCRResult`, so that a loop over results needs no special case: `print()` prints
    the error, and the methods that save write no file.

    Attributes:
        input_path: the path or URL of the input; None for pixels and bytes.
        error: what went wrong.
        ok: False.
    """

    input_path: str | None
    error: TritonOCRError
    ok: ClassVar[bool] = False

    @property
    def json(self) -> dict[str, Any]:
        """`{"error": {"input_path", "type", "message"}}`."""
        return {
            "error": {
                "input_path": self.input_path,
                "type": type(self.error).__name__,
                "message": str(self.error),
            }
        }

    img: ClassVar[dict[str, Image.Image]] = {}
    text: ClassVar[str] = ""
    markdown: ClassVar[str] = ""
    hocr: ClassVar[str] = ""

    def print(self, format_json: bool = True, indent: int = 4, ensure_ascii: bool = False) -> None:
        """Print the failure on standard error."""
        text = json_text(self.json, indent, ensure_ascii) if format_json else str(self)
        sys.stderr.write(printable(text, sys.stderr) + "\n")

    def save_to_json(self, save_path: str | Path, indent: int = 4, ensure_ascii: bool = False) -> None:
        """Write nothing: there is no result."""

    def save_to_img(self, save_path: str | Path) -> None:
        """Write nothing."""

    def save_to_pdf(self, save_path: str | Path) -> None:
        """Write nothing."""

    def save_to_markdown(self, save_path: str | Path) -> None:
        """Write nothing."""

    def save_to_text(self, save_path: str | Path) -> None:
        """Write nothing."""

    def save_to_hocr(self, save_path: str | Path) -> None:
        """Write nothing."""

    def save(self, save_path: str | Path, *, format: str) -> None:  # noqa: A002 (the usual name)
        """Write nothing."""

    def formatted(self, format: str) -> str:  # noqa: A002 (the usual name)
        """Return nothing: there is no result."""
        return ""

    def save_all(self, save_path: str | Path) -> None:
        """Write nothing."""

    def __str__(self) -> str:
        return f"{self.input_path or 'the input'}: {self.error}"
