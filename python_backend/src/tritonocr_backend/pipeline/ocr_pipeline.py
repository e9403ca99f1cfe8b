"""The OCR pipeline over a `ModelCaller`: a page in, its lines out.

Order, constants and rounding are PaddleX 3.0.0rc0's. It knows neither Triton nor any engine: inside the `ocr`
model the caller is BLS; benchmarks and tests run the same stages in-process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tritonocr_backend.core import contracts
from tritonocr_backend.core.arrays import Floats, Image, Ints, Quads, Tensors
from tritonocr_backend.core.contracts import IMAGE, NETWORK_OUTPUTS, STAGE_OUTPUTS, Role
from tritonocr_backend.core.page_messages import PageWarning
from tritonocr_backend.documents.pages import Page, unreduced
from tritonocr_backend.pipeline import doc_preprocessing, text_crop, text_detection
from tritonocr_backend.pipeline.text_detection import DetectedBoxes, LimitType

MAX_LINES_A_CALL = 64
NOT_LOOKED_FOR = -1


class ModelCaller(Protocol):
    """Runs a model by its name."""

    async def __call__(self, model: str, inputs: Tensors, outputs: Sequence[str]) -> dict[str, NDArray[Any]]:
        """Return the named outputs of `model` for `inputs`."""


@dataclass(frozen=True)
class PageSettings:
    """How a page is read. Attributes are PaddleX's predict() options, detection's without their prefix.

    `networks` names the network of each role; `exact` takes pages at full size and cuts lines in PaddleX's
    own steps (see text_crop); `detection_only` leaves out everything after detection.
    """

    networks: dict[Role, str]
    use_doc_orientation_classify: bool
    use_doc_unwarping: bool
    use_textline_orientation: bool
    limit_side_len: int
    limit_type: LimitType
    thresh: float
    box_thresh: float
    unclip_ratio: float
    max_candidates: int
    score_thresh: float
    return_word_box: bool = False
    exact: bool = False
    detection_only: bool = False

    def reduction_of(self, size: tuple[int, int]) -> int:
        """How many times smaller a page of (height, width) px is decoded; see text_detection."""
        if self.exact or self.use_doc_unwarping:  # the flat page has no other pixels than the network gives
            return 1
        return text_detection.page_reduction(size, self.limit_side_len, self.limit_type)


@dataclass(frozen=True)
class Word:
    """A word: its text and its box [x_min, y_min, x_max, y_max] in pixels of the page."""

    text: str
    box: tuple[int, int, int, int]


@dataclass(frozen=True)
class Line:
    """A line that was read: which detected box it came from, its text, score and words."""

    box_index: int
    text: str
    score: float
    words: tuple[Word, ...] = ()


@dataclass(frozen=True)
class PageResult:
    """One page read.

    Attributes:
        size: (height, width) in pixels of the page as given.
        page: the page after rotation and unwarping, to whose size all coordinates refer.
        doc_angle: degrees it was turned counter-clockwise; -1 when not looked for.
        boxes: detected boxes in reading order.
        line_angles: int32 [boxes], 1 where a line was upside down, -1 when not looked for.
        lines: in reading order, those that pass the recognition threshold.
        warnings: what may have cost text of this page.
    """

    size: tuple[int, int]
    page: Page
    doc_angle: int
    boxes: DetectedBoxes
    line_angles: Ints
    lines: tuple[Line, ...]
    warnings: tuple[PageWarning, ...] = ()


class OcrPipeline:
    """Reads pages by calling models."""

    def __init__(self, call: ModelCaller) -> None:
        self._call = call

    async def read(self, page: Page, settings: PageSettings) -> PageResult:
        """Read one page."""
        flat, doc_angle = await self._preprocess(page, settings)
        boxes = await self._detect(flat, settings)
        angles = np.full(len(boxes.quads), NOT_LOOKED_FOR, dtype=np.int32)
        lines: list[Line] = []
        if not settings.detection_only:
            cut = await self._cut_lines(flat, boxes.quads, settings)
            angles = await self._turn_lines(cut, settings)
            lines = await self._recognise(cut, boxes.quads, angles == 1, settings)
        kept = (line for line in lines if line.score >= settings.score_thresh)
        return PageResult(page.size, flat, doc_angle, boxes, angles, tuple(kept), page.warnings)

    async def _preprocess(self, page: Page, settings: PageSettings) -> tuple[Page, int]:
        angle = NOT_LOOKED_FOR
        if settings.use_doc_orientation_classify:
            image = doc_preprocessing.resize_for_doc_orientation(page.pixels)
            outputs = await self._network(Role.DOC_ORIENTATION, image[np.newaxis], settings)
            angle = doc_preprocessing.doc_angle(outputs["probabilities"][0])
            page = doc_preprocessing.rotate(page, angle)
        if settings.use_doc_unwarping:
            outputs = await self._network(Role.DOC_UNWARPING, page.pixels[np.newaxis], settings)
            page = Page.reduced(outputs["unwarped"][0], unreduced)
        return page, angle

    async def _detect(self, page: Page, settings: PageSettings) -> DetectedBoxes:
        image = text_detection.resize_for_detection(
            page.pixels, page.size, settings.limit_side_len, settings.limit_type
        )
        outputs = await self._network(Role.TEXT_DETECTION, image[np.newaxis], settings)
        inputs = {
            "probability": outputs["probability"][0],
            "page_size": np.array(page.size, dtype=np.int32),
            "thresh": np.array([settings.thresh], dtype=np.float32),
            "box_thresh": np.array([settings.box_thresh], dtype=np.float32),
            "unclip_ratio": np.array([settings.unclip_ratio], dtype=np.float32),
            "max_candidates": np.array([settings.max_candidates], dtype=np.int32),
        }
        found = await self._stage(contracts.POSTPROCESS, inputs)
        return DetectedBoxes(found["polys"], found["scores"], bool(found["max_candidates_reached"][0]))

    async def _cut_lines(self, page: Page, quads: Quads, settings: PageSettings) -> _CutLines:
        if not len(quads):
            none = np.empty(0, np.int32)
            return _CutLines([], none, none, np.empty((0, *contracts.LINE_ORIENTATION_SIZE_PX, 3), np.uint8))
        inputs: dict[str, NDArray[Any]] = {
            "image": page.pixels,
            "polys": quads,
            "reduction": np.array([page.reduction], dtype=np.int32),
            "exact": np.array([settings.exact]),
            "orientation_images": np.array([settings.use_textline_orientation]),
        }
        cut = await self._stage(contracts.CROP, inputs)
        images = text_crop.split_lines(cut["pixels"], cut["widths"])
        return _CutLines(images, cut["content_widths"], cut["line_index"], cut["orientation_images"])

    async def _turn_lines(self, cut: _CutLines, settings: PageSettings) -> Ints:
        """Turn lines that are upside down; return int32 [boxes] of 0, 1, or -1 when not looked for."""
        angles = np.full(len(cut.images), NOT_LOOKED_FOR, dtype=np.int32)
        if not settings.use_textline_orientation or not len(cut.images):
            return angles
        outputs = await self._in_chunks(Role.TEXTLINE_ORIENTATION, cut.orientation_images, settings)
        upside_down = np.concatenate([chunk["probabilities"] for chunk in outputs]).argmax(axis=1)
        angles[cut.box_index] = upside_down
        for i in np.flatnonzero(upside_down):
            text_crop.turn_upside_down(cut.images[i], int(cut.content_widths[i]))
        return angles

    async def _recognise(
        self, cut: _CutLines, quads: Quads, upside_down: NDArray[np.bool_], settings: PageSettings
    ) -> list[Line]:
        """Lines in reading order."""
        if not cut.images:
            return []
        batches = cut.equal_width_batches()
        calls = [self._in_chunks(Role.TEXT_RECOGNITION, batch, settings) for batch in batches]
        chunks = [chunk for chunks in await asyncio.gather(*calls) for chunk in chunks]
        columns = [chunk["indices"].shape[1] for chunk in chunks for _ in chunk["indices"]]
        widths = np.array([image.shape[1] for image in cut.images])
        column_counts = np.array(columns) * cut.content_widths / widths
        inputs = {
            "indices": _stack([chunk["indices"] for chunk in chunks]),
            "confidences": _stack([chunk["confidences"] for chunk in chunks]),
            "column_counts": column_counts.astype(np.float32),
            "return_words": np.array([settings.return_word_box]),
            "model_name": np.array([settings.networks[Role.TEXT_RECOGNITION]], dtype=object),
        }
        decoded = await self._stage(contracts.DECODE, inputs)
        words = _words_by_line(decoded, column_counts, quads[cut.box_index], upside_down[cut.box_index])
        lines = zip(cut.box_index.tolist(), decoded["texts"], decoded["scores"].tolist(), words, strict=True)
        return sorted((Line(*line) for line in lines), key=lambda line: line.box_index)

    async def _in_chunks(
        self, role: Role, batch: NDArray[np.uint8], settings: PageSettings
    ) -> list[dict[str, NDArray[Any]]]:
        starts = range(0, len(batch), MAX_LINES_A_CALL)
        chunks = [batch[start : start + MAX_LINES_A_CALL] for start in starts]
        return await asyncio.gather(*(self._network(role, chunk, settings) for chunk in chunks))

    async def _network(
        self, role: Role, batch: NDArray[np.uint8], settings: PageSettings
    ) -> dict[str, NDArray[Any]]:
        return await self._call(settings.networks[role], {IMAGE: batch}, NETWORK_OUTPUTS[role])

    async def _stage(self, name: str, inputs: Tensors) -> dict[str, NDArray[Any]]:
        return await self._call(name, inputs, STAGE_OUTPUTS[name])


@dataclass(frozen=True)
class _CutLines:
    """Line images, narrowest first: views of the packed pixels, and the box that each came from."""

    images: list[Image]
    content_widths: Ints
    box_index: Ints
    orientation_images: NDArray[np.uint8]

    def equal_width_batches(self) -> Iterator[NDArray[np.uint8]]:
        """uint8 [k, 48, W, 3] of the lines of each width."""
        for _, run in groupby(self.images, key=lambda image: image.shape[1]):
            yield np.stack(list(run))


def _stack(parts: list[NDArray[Any]]) -> NDArray[Any]:
    """[n, T] of parts [k, t], filled up with zeros, which are CTC blanks."""
    columns = max(part.shape[1] for part in parts)
    return np.concatenate([np.pad(part, ((0, 0), (0, columns - part.shape[1]))) for part in parts])


def _words_by_line(
    decoded: Tensors,
    column_counts: Floats | NDArray[np.float64],
    quads: Quads,
    upside_down: NDArray[np.bool_],
) -> list[tuple[Word, ...]]:
    """Each line's words, their columns scaled to the line's quad as PaddleX scales them.

    PaddleX takes every line to run from left to right; here tall ones run down, and turned ones backwards.
    """
    words: list[list[Word]] = [[] for _ in quads]
    spans = decoded["word_spans"].astype(np.float64)
    for row, text, (start, end) in zip(decoded["word_line_index"], decoded["word_texts"], spans, strict=True):
        (x, y), (x_end, _), (_, y_end), _ = quads[row].tolist()
        is_vertical = text_crop.is_vertical(quads[row])
        length = y_end - y if is_vertical else x_end - x
        column_px = length / column_counts[row]
        first, last = int(start * column_px), min(int(end * column_px), length)
        if upside_down[row]:
            first, last = length - last, length - first
        box = (x, y + first, x_end, y + last) if is_vertical else (x + first, y, x + last, y_end)
        words[row].append(Word(str(text), box))
    return [tuple(line) for line in words]
