"""What one page yields: PaddleX's OCR result, and the failure that stands in its place."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from .._exceptions import InvalidInputError, TritonOCRError
from .page import Page, result_fields
from .reading_order import joined, paragraphs, reading_rows
from .saving import encoded_picture, escaped_markdown, output_path, picture_suffix, write_whole

if TYPE_CHECKING:
    from PIL import Image


class OCRResult(dict[str, Any]):
    """The result of one page: a dict with PaddleX's keys, in PaddleX's order.

    `result["rec_texts"]` and the like are as in PaddleX: polygons are int16 arrays [4,2] (int32 where a
    page is larger than int16 can say), `rec_boxes` an array [n,4], scores floats. Beyond PaddleX's keys
    there is `dt_scores`, which the tutorial promises; `return_word_box`, `text_word_boxes` and `text_word`
    are there where words were asked for, as in later PaddleX versions.

    Attributes:
        page: the page's own record, with its size and pictures.
        page_count: pages in the file, also those beyond `max_pages`.
        file_stem: what the names of saved files start with: the input's name, which may be changed.
        ok: True; a failure's is False.
    """

    ok: ClassVar[bool] = True

    def __init__(
        self, fields: Mapping[str, Any], page: Page, *, page_count: int = 1, request_id: str = ""
    ) -> None:
        super().__init__(fields)
        self.page = page
        self.page_count = page_count
        path = self["input_path"]
        self.file_stem = Path(path).stem if path else f"image_{request_id[:8]}"

    @classmethod
    def from_page(
        cls,
        page: Page,
        settings: Mapping[str, Any],
        *,
        input_path: str | None = None,
        page_index: int | None = None,
        page_count: int = 1,
        request_id: str = "",
    ) -> OCRResult:
        """Build the result from a page and the value of every option in force."""
        fields = result_fields(page, settings, input_path=input_path, page_index=page_index)
        return cls(fields, page, page_count=page_count, request_id=request_id)

    @property
    def input_path(self) -> str | None:
        """Where the page comes from; None for pixels and bytes."""
        path: str | None = self["input_path"]
        return path

    @property
    def json(self) -> dict[str, Any]:
        """The result in JSON's types: `{"res": {…}}`, as PaddleX has it."""
        return {"res": {key: _plain(value) for key, value in self.items()}}

    @property
    def text(self) -> str:
        """The page's lines in reading order; lines side by side share a row, parted by a space."""
        rows = reading_rows(self["rec_boxes"])
        return "\n".join(map(self._row_text, rows))

    @property
    def markdown(self) -> str:
        """The page's text as Markdown: rows as lines, parted into paragraphs where the page leaves space."""
        return "\n\n".join(
            "  \n".join(
                escaped_markdown(" ".join(self["rec_texts"][line] for line in row)) for row in paragraph
            )
            for paragraph in paragraphs(self["rec_boxes"])
        )

    def _row_text(self, row: list[int]) -> str:
        return joined([self["rec_texts"][line] for line in row])

    @property
    def img(self) -> dict[str, Image.Image]:
        """Pictures: `ocr_res_img` and, where the page was preprocessed, `preprocessed_img`.

        Raises:
            InvalidInputError: the page's picture was not asked for.
            MissingExtraError: the extra [viz] is not installed.
        """
        from .pictures import decoded, ocr_picture, preprocessing_picture

        page = decoded(self.page_picture())
        pictures = {"ocr_res_img": ocr_picture(page, self["rec_polys"], self["rec_texts"])}
        if self["model_settings"]["use_doc_preprocessor"]:
            original = decoded(self.page.input_image or b"")
            pictures["preprocessed_img"] = preprocessing_picture(original, self.page.angle, page)
        return pictures

    def page_picture(self) -> bytes:
        """The encoded picture that all boxes refer to: the page after rotation and unwarping.

        Raises:
            InvalidInputError: it was not asked for.
        """
        picture = self.page.preprocessed_image or self.page.input_image
        if picture is None:
            raise InvalidInputError(
                "The result holds no picture of its page; ask for it with return_page_images=True."
            )
        return picture

    def print(self, format_json: bool = True, indent: int = 4, ensure_ascii: bool = False) -> None:
        """Print the result.

        Args:
            format_json: as indented JSON; otherwise as Python text.
            indent: spaces a level of the JSON.
            ensure_ascii: escape what is not ASCII in the JSON.
        """
        text = _dumped(self.json, indent, ensure_ascii) if format_json else f"{{'res': {dict(self)}}}"
        sys.stdout.write(text + "\n")

    def save_to_json(self, save_path: str | Path, indent: int = 4, ensure_ascii: bool = False) -> Path:
        """Write the inner object of `json` to a file.

        Args:
            save_path: the file, or a directory that gets `{stem}_res.json` (a page of a PDF:
                `{stem}_{page}_res.json`). A path without a suffix is a directory and is made.
            indent: spaces a level.
            ensure_ascii: escape what is not ASCII.

        Returns:
            The file written; so do the other methods.
        """
        return self._write(save_path, "_res.json", _dumped(self.json["res"], indent, ensure_ascii).encode())

    def save_to_img(self, save_path: str | Path) -> list[Path]:
        """Write the pictures of `img`.

        Args:
            save_path: a directory, which gets `{stem}_ocr_res_img{ext}` and `{stem}_preprocessed_img{ext}`,
                with the input's extension or `.png` where that is no picture's; or a file, which gets the
                first, the other beside it (PaddleX overwrites the first with the other).
        """
        written: list[Path] = []
        for name, picture in self.img.items():
            suffix = picture_suffix(self.input_path, picture.size)
            path = output_path(save_path, self.stem, f"_{name}{suffix}")
            if path in written:
                path = path.with_name(f"{path.stem}_{name}{path.suffix}")
            written.append(write_whole(path, encoded_picture(picture, path.suffix)))
        return written

    def save_to_pdf(self, save_path: str | Path) -> Path:
        """Write the page as a searchable PDF, as `{stem}_res.pdf` in a directory.

        `searchable_pdf()` puts the pages of a file into one.
        """
        from .pdf import searchable_pdf

        return self._write(save_path, "_res.pdf", searchable_pdf([self]))

    def save_to_markdown(self, save_path: str | Path) -> Path:
        """Write `markdown`, as `{stem}_res.md` in a directory."""
        return self._write(save_path, "_res.md", f"{self.markdown}\n".encode())

    def save_to_text(self, save_path: str | Path) -> Path:
        """Write `text`, as `{stem}_res.txt` in a directory."""
        return self._write(save_path, "_res.txt", f"{self.text}\n".encode())

    @property
    def stem(self) -> str:
        """What the names of saved files start with: `file_stem`, and the page of a PDF."""
        page_index = self["page_index"]
        return self.file_stem if page_index is None else f"{self.file_stem}_{page_index}"

    def _write(self, save_path: str | Path, ending: str, content: bytes) -> Path:
        return write_whole(output_path(save_path, self.stem, ending), content)


@dataclass(frozen=True)
class OCRFailure:
    """Stands in the place of a file that could not be read, so that the others go on.

    Its methods do what they can do for a failure: they print and log it, and write no file.
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

    def print(self, format_json: bool = True, indent: int = 4, ensure_ascii: bool = False) -> None:
        """Print the failure on standard error."""
        text = _dumped(self.json, indent, ensure_ascii) if format_json else str(self)
        sys.stderr.write(text + "\n")

    def save_to_json(self, save_path: str | Path, indent: int = 4, ensure_ascii: bool = False) -> None:
        """Write nothing: there is no result; so do the other methods."""

    def save_to_img(self, save_path: str | Path) -> None:
        """Write nothing."""

    def save_to_pdf(self, save_path: str | Path) -> None:
        """Write nothing."""

    def save_to_markdown(self, save_path: str | Path) -> None:
        """Write nothing."""

    def save_to_text(self, save_path: str | Path) -> None:
        """Write nothing."""

    def __str__(self) -> str:
        return f"{self.input_path or 'the input'}: {self.error}"


def _dumped(value: Any, indent: int, ensure_ascii: bool) -> str:
    return json.dumps(value, indent=indent, ensure_ascii=ensure_ascii)


def _plain(value: Any) -> Any:
    """Turn arrays into lists, all the way down."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value
