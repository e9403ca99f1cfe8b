"""The result of one page."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._exceptions import InvalidInputError
from .page import PageMessage, PageRecord, result_fields
from .reading_order import TextBlock, text_blocks
from .saving import (
    can_print,
    encoded_picture,
    input_name,
    json_text,
    output_path,
    picture_suffix,
    plain,
    printable,
    utf8,
    write_whole,
)

if TYPE_CHECKING:
    from PIL import Image


class OCRResult(dict[str, Any]):
    """The result of one page: a dict with PaddleX's keys, in PaddleX's order.

    The values are as in PaddleX: polygons are int16 arrays [4,2] (int32 if a coordinate exceeds int16),
    `rec_boxes` is an array [n,4], scores are floats. `dt_scores` is added, because PaddleX's tutorial
    documents it. `return_word_box`, `text_word_boxes` and `text_word` are present if the request asked for
    words, as in later PaddleX versions; TritonOCR adds `text_word_polys` and `text_word_scores`,
    and likewise `text_char` and its companions if the request asked for characters.

    The lines are in PaddleX's order. TritonOCR adds how a person reads them, with one entry per line:
    `reading_order` (the rank of the line, from 0), `row_index`, `block_index` and `block_kind`.

    Attributes:
        page: the record of the page, with its size and pictures.
        page_count: number of pages in the file, including the pages beyond `max_pages`.
        is_in_input_coordinates: whether coordinates refer to the page as it was sent (`coordinates="input"`).
        file_stem: start of the names of saved files: the input's name. It may be changed.
        original: the bytes of the file if the request asked for pictures and `input_path` is no local path:
            a searchable PDF keeps the pages of its original. The pages of a file share the same bytes.
    """

    def __init__(
        self,
        fields: Mapping[str, Any],
        page: PageRecord,
        *,
        page_count: int = 1,
        request_id: str = "",
        is_in_input_coordinates: bool = False,
        original: bytes | None = None,
    ) -> None:
        super().__init__(fields)
        self.page = page
        self.page_count = page_count
        self.is_in_input_coordinates = is_in_input_coordinates
        self.original = original
        path = self["input_path"]
        self.file_stem = input_name(path).stem if path else f"image_{request_id[:8]}"

    @classmethod
    def from_page(
        cls,
        page: PageRecord,
        settings: Mapping[str, Any],
        *,
        input_path: str | None = None,
        page_index: int | None = None,
        page_count: int = 1,
        request_id: str = "",
        original: bytes | None = None,
    ) -> OCRResult:
        """Build the result of a page from its record and the values of all options."""
        fields = result_fields(page, settings, input_path=input_path, page_index=page_index)
        return cls(
            fields,
            page,
            page_count=page_count,
            request_id=request_id,
            is_in_input_coordinates=settings.get("coordinates") == "input",
            original=original,
        )

    @property
    def ok(self) -> bool:
        """Whether the page was read; False if the file has other pages but this one has an `error`."""
        return self.page.error is None

    @property
    def error(self) -> InvalidInputError | None:
        """Why the page was not read; None if it was read."""
        return InvalidInputError(self.page.error.message) if self.page.error else None

    @property
    def warnings(self) -> tuple[PageMessage, ...]:
        """What may have cost text of this page, each with a `code` and a `message`."""
        return self.page.warnings

    @property
    def input_path(self) -> str | None:
        """The path or URL of the input; None for pixels and bytes."""
        path: str | None = self["input_path"]
        return path

    @property
    def is_unwarped(self) -> bool:
        """Whether coordinates refer to a page that was flattened."""
        return self.page.unwarped and not self.is_in_input_coordinates

    @property
    def json(self) -> dict[str, Any]:
        """The result in JSON's types: `{"res": {…}}`, as in PaddleX."""
        return {"res": {key: plain(value) for key, value in self.items()}}

    @property
    def blocks(self) -> list[TextBlock]:
        """The blocks of the page in reading order: headings, paragraphs, tables and others."""
        return text_blocks(self["reading_order"], self["row_index"], self["block_index"], self["block_kind"])

    @property
    def text(self) -> str:
        """The page's lines in reading order; lines side by side share a row, with a space between them."""
        return self.formatted("text").removesuffix("\n")

    @property
    def markdown(self) -> str:
        """The page's text as Markdown: headings, paragraphs, and tables whose columns are clear."""
        return self.formatted("markdown").removesuffix("\n")

    @property
    def block_markdown(self) -> list[str]:
        """The Markdown of each block in `blocks`."""
        from .page_text import page_text
        from .writers.markdown import block_bodies

        return block_bodies(page_text(self))

    @property
    def hocr(self) -> str:
        """The page as an hOCR document; request `return_word_box` for exact places of words."""
        return self.formatted("hocr")

    def formatted(self, format: str) -> str:  # noqa: A002 (the usual name)
        """Return the page as a document in a format of `FORMATS`, such as `alto`, `page`, `tsv` or `csv`.

        Raises:
            InvalidInputError: no format has this name.
        """
        from .formats import formatted

        return "".join(formatted([self], format))

    @property
    def img(self) -> dict[str, Image.Image]:
        """The pictures of `pictures()`, in the size of the page."""
        return self.pictures()

    def pictures(self, max_side_px: int | None = None) -> dict[str, Image.Image]:
        """Draw `ocr_res_img` and, where the page was preprocessed, `preprocessed_img`.

        Args:
            max_side_px: the longest side of the page in the pictures, in pixels; larger pages are reduced
                before they are drawn, which bounds the memory. None keeps the size of the page.

        Raises:
            InvalidInputError: the request did not ask for the picture of the page.
            MissingExtraError: the extra [viz] is not installed.
        """
        from .pictures import decoded, ocr_picture, preprocessing_picture

        page, scale = decoded(self.page_picture(), max_side_px)
        polys = [poly * scale for poly in self["rec_polys"]] if scale != 1 else self["rec_polys"]
        pictures = {"ocr_res_img": ocr_picture(page, polys, self["rec_texts"])}
        if self["model_settings"]["use_doc_preprocessor"]:
            original, _ = decoded(self.page.input_image or b"", max_side_px)
            pictures["preprocessed_img"] = preprocessing_picture(original, self.page.angle, page)
        return pictures

    def page_picture(self) -> bytes:
        """Return the encoded picture of the page after rotation and unwarping; all boxes refer to it.

        Raises:
            InvalidInputError: the request did not ask for pictures.
        """
        if self.error is not None:
            raise self.error
        picture = self.page.preprocessed_image or self.page.input_image
        if picture is None:
            raise InvalidInputError(
                "The result holds no picture of its page; request it with return_page_images=True."
            )
        return picture

    def print(self, format_json: bool = True, indent: int = 4, ensure_ascii: bool = False) -> None:
        """Print the result.

        Args:
            format_json: print indented JSON; otherwise Python's text of the dict.
            indent: spaces per level of the JSON.
            ensure_ascii: escape all characters beyond ASCII in the JSON.
        """
        text = json_text(self.json, indent, ensure_ascii) if format_json else f"{{'res': {dict(self)}}}"
        if format_json and not can_print(text, sys.stdout):
            text = json_text(self.json, indent, ensure_ascii=True)
        sys.stdout.write(printable(text, sys.stdout) + "\n")

    def save_to_json(self, save_path: str | Path, indent: int = 4, ensure_ascii: bool = False) -> Path:
        """Write the inner object of `json` to a file.

        Args:
            save_path: the file, or a directory for `{stem}_res.json` (for a page of a PDF:
                `{stem}_{page}_res.json`). A path without a suffix is a directory; it is made if absent.
            indent: spaces per level.
            ensure_ascii: escape all characters beyond ASCII.

        Returns:
            The path of the written file.
        """
        return self._write(save_path, "_res.json", utf8(json_text(self.json["res"], indent, ensure_ascii)))

    def save_to_img(self, save_path: str | Path) -> list[Path]:
        """Write the pictures of `img`.

        Args:
            save_path: a directory for `{stem}_ocr_res_img{ext}` and `{stem}_preprocessed_img{ext}`; `ext` is
                the input's extension, or `.png` if that is no picture format. Or a file for the first
                picture; the second picture is written beside it (PaddleX overwrites the first one).

        Returns:
            The paths of the written files.
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
        """Write the page as a searchable PDF; a directory gets `{stem}_res.pdf`.

        `searchable_pdf()` makes one PDF of several pages.
        """
        from .pdf import searchable_pdf

        return self._write(save_path, "_res.pdf", searchable_pdf([self], has_read_pages_only=True))

    def save_to_markdown(self, save_path: str | Path) -> Path:
        """Write `markdown` to a file; a directory gets `{stem}_res.md`."""
        return self.save(save_path, format="markdown")

    def save_to_text(self, save_path: str | Path) -> Path:
        """Write `text` to a file; a directory gets `{stem}_res.txt`."""
        return self.save(save_path, format="text")

    def save_to_hocr(self, save_path: str | Path) -> Path:
        """Write `hocr` to a file; a directory gets `{stem}_res.hocr`."""
        return self.save(save_path, format="hocr")

    def save(self, save_path: str | Path, *, format: str) -> Path:  # noqa: A002 (the usual name)
        """Write the page in a format of `FORMATS`; a directory gets `{stem}_res` and the format's suffix.

        `save_document()` writes several pages into one file.

        Raises:
            InvalidInputError: no format has this name.
        """
        from .formats import document_format

        return self._write(save_path, document_format(format).ending, utf8(self.formatted(format)))

    def save_all(self, save_path: str | Path) -> None:
        """Write JSON and pictures into a directory, as PaddleX's `save_all()` does."""
        self.save_to_json(save_path)
        self.save_to_img(save_path)

    @property
    def stem(self) -> str:
        """The start of the names of saved files: `file_stem`, with the page index of a PDF."""
        page_index = self["page_index"]
        return self.file_stem if page_index is None else f"{self.file_stem}_{page_index}"

    def _write(self, save_path: str | Path, ending: str, content: bytes) -> Path:
        return write_whole(output_path(save_path, self.stem, ending), content)
