"""A fake of Triton behind the client. It responds, fails or waits as a test sets it."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncGenerator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tritonocr import OPTIONS, Health

Tensors = dict[str, NDArray[Any]]

WIDTH_PX, HEIGHT_PX = 200, 100


def picture(image_format: str = "JPEG", size: tuple[int, int] = (WIDTH_PX, HEIGHT_PX)) -> bytes:
    """A white page."""
    output = io.BytesIO()
    Image.new("RGB", size, "white").save(output, image_format)
    return output.getvalue()


def answer(pages: int = 1, page_count: int | None = None, preprocessed: bool = False) -> Tensors:
    """Return the tensors of pages with one line each, "line of page N"."""
    settings = {name: option.default for name, option in OPTIONS.items()}
    settings["use_doc_unwarping"] = preprocessed
    polys = np.array([[[10, 10], [90, 10], [90, 30], [10, 30]]] * pages, np.int32)
    index = np.arange(pages, dtype=np.int32)
    images = np.array([picture()] * pages, np.object_)
    return {
        "page_sizes": np.array([[HEIGHT_PX, WIDTH_PX]] * pages, np.int32),
        "doc_angle": np.full(pages, 180 if preprocessed else -1, np.int32),
        "unwarped": np.zeros(pages, np.bool_),
        "max_candidates_reached": np.zeros(pages, np.bool_),
        "page_warnings": np.array([b"[]"] * pages, np.object_),
        "page_errors": np.array([b""] * pages, np.object_),
        "page_count": np.array([page_count or pages], np.int32),
        "settings": np.array([json.dumps(settings).encode()], np.object_),
        "dt_page_index": index,
        "dt_polys": polys,
        "dt_scores": np.full(pages, 0.75, np.float32),
        "textline_orientation_angles": np.full(pages, -1, np.int32),
        "page_index": index,
        "rec_texts": np.array([f"line of page {page}".encode() for page in index], np.object_),
        "rec_scores": np.full(pages, 0.5, np.float32),
        "rec_polys": polys,
        "rec_boxes": np.array([[10, 10, 90, 30]] * pages, np.int32),
        "reading_order": np.zeros(pages, np.int32),
        "row_index": np.zeros(pages, np.int32),
        "block_index": np.zeros(pages, np.int32),
        "block_kind": np.array([b"paragraph"] * pages, np.object_),
        "rec_sources": np.array([b"ocr"] * pages, np.object_),
        "word_line_index": np.zeros(0, np.int32),
        "word_texts": np.zeros(0, np.object_),
        "word_boxes": np.zeros((0, 4), np.int32),
        "word_polys": np.zeros((0, 4, 2), np.int32),
        "word_scores": np.zeros(0, np.float32),
        "char_line_index": np.zeros(0, np.int32),
        "char_texts": np.zeros(0, np.object_),
        "char_boxes": np.zeros((0, 4), np.int32),
        "char_polys": np.zeros((0, 4, 2), np.int32),
        "char_scores": np.zeros(0, np.float32),
        "input_images": images,
        "preprocessed_images": images if preprocessed else np.zeros(0, np.object_),
    }


def blank_page() -> Tensors:
    """Return the tensors of a page without text."""
    tensors = answer()
    names = ("dt_page_index", "dt_polys", "dt_scores", "textline_orientation_angles", "page_index")
    names += ("rec_texts", "rec_scores", "rec_polys", "rec_boxes")
    return {**tensors, **{name: tensors[name][:0] for name in names}}


class FakeTransport:
    """A transport without a server.

    Attributes:
        tensors: the response.
        error: the exception that is raised instead.
        error_after_pages: the exception that is raised once, after the response.
        wait: whether requests get no response.
        requests: the requests received.
        cancelled: the number of cancelled requests.
    """

    streams = False

    def __init__(self) -> None:
        self.tensors = answer()
        self.error: Exception | None = None
        self.error_after_pages: Exception | None = None
        self.wait = False
        self.ready = True
        self.requests: list[Any] = []
        self.cancelled = 0

    async def responses(self, request: Any, timeout_s: float | None) -> AsyncGenerator[Tensors, None]:
        self.requests.append(request)
        if self.wait:
            try:
                await asyncio.Event().wait()
            finally:
                self.cancelled += 1
        if self.error:
            raise self.error
        yield self.tensors
        if error := self.error_after_pages:
            self.error_after_pages = None
            raise error

    async def model_config(self, model_name: str) -> dict[str, Any]:
        return {"name": model_name, "output": [{"name": "indices"}] if model_name.endswith("_rec") else []}

    async def model_names(self) -> list[str]:
        return ["ocr", "PP-OCRv4_mobile_rec"]

    async def health(self, model_name: str) -> Health:
        return Health(self.ready, self.ready, self.ready)

    async def close(self) -> None:
        pass

    def sent(self) -> dict[str, Any]:
        """The inputs of the last request."""
        return {tensor.name: tensor.array[0] for tensor in self.requests[-1].inputs}
