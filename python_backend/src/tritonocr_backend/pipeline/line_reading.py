"""Read the lines of a page: cut, rotate upside-down lines, recognise and decode.

The lines of a page are read in chunks, each of which the crop stage bounds in bytes. The memory of a page
therefore does not grow with its number of lines.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tritonocr_backend.core import contracts
from tritonocr_backend.core.arrays import Floats, Image, Ints, Quads, Tensors
from tritonocr_backend.core.contracts import IMAGE, NETWORK_OUTPUTS, STAGE_OUTPUTS, Role
from tritonocr_backend.documents.pages import Page
from tritonocr_backend.pipeline import text_crop
from tritonocr_backend.pipeline.line_geometry import parts_of_line
from tritonocr_backend.pipeline.line_orientation import Columns, Orientation
from tritonocr_backend.pipeline.records import Line, PageSettings, PlacedText

MAX_LINES_PER_CALL = 64
NOT_CLASSIFIED = -1
MAX_CROP_PIXELS = 1 << 25
"""The crop stage gets a larger page in parts, since /dev/shm keeps the size of the largest message."""
CROP_MARGIN_PX = 64
"""Pixels of the page around the quads of a part: a line's rectangle can exceed its quad."""

_Outputs = dict[str, NDArray[Any]]


class ModelCaller(Protocol):
    """Runs a model by its name."""

    async def __call__(self, model: str, inputs: Tensors, outputs: Sequence[str]) -> dict[str, NDArray[Any]]:
        """Return the named outputs of `model` for `inputs`."""


@dataclass(frozen=True)
class CutLines:
    """Line images, narrowest first; a very long line has several rows.

    Attributes:
        images: uint8 [48, w, 3] each, views of the packed pixels.
        content_widths: int32 [k], pixels of each image that show the line.
        box_index: int32 [k], the detected box of each row.
        part_index: int32 [k], the part of its line that each row shows.
        starts_word: bool [k], whether a gap between words precedes the part.
        quads: float32 [k, 4, 2] on the page, in the direction of reading.
        orientation_images: uint8 [k or 0, 80, 160, 3].
        box_count: how many boxes were cut.
    """

    images: list[Image]
    content_widths: Ints
    box_index: Ints
    part_index: Ints
    starts_word: NDArray[np.bool_]
    quads: Floats
    orientation_images: NDArray[np.uint8]
    box_count: int

    def turn_upside_down(self, numbers: Sequence[int]) -> None:
        """Turn the images of these numbers by 180 degrees."""
        for number in numbers:
            text_crop.turn_upside_down(self.images[number], int(self.content_widths[number]))


@dataclass(frozen=True)
class PageView:
    """A part of a page for the crop stage.

    Attributes:
        pixels: uint8 [h, w, 3].
        quads: int32 [n, 4, 2] in the part.
        origin: float32 [2], x and y of the part on the page, in pixels of the page as given.
    """

    pixels: Image
    quads: Quads
    origin: Floats


@dataclass(frozen=True)
class LineReader:
    """Reads the lines of one page by calling models."""

    call: ModelCaller
    page: Page
    settings: PageSettings

    async def read(self, quads: Quads) -> tuple[list[Line], Ints]:
        """Return the lines in the order of their boxes, and the orientation of each box.

        Args:
            quads: int32 [n, 4, 2].

        Returns:
            The lines, and int32 [n] of 0, 1 (upside down) or -1 (not classified).
        """
        angles = np.full(len(quads), NOT_CLASSIFIED, dtype=np.int32)
        lines: list[Line] = []
        start = 0
        while start < len(quads):
            cut = await self._cut(quads[start:])
            columns, upside_down = await self._columns(cut)
            if self._turns:
                angles[start + cut.box_index] = upside_down
            chunk = await self._decoded(cut, columns, upside_down)
            lines += [replace(line, box_index=start + line.box_index) for line in chunk]
            start += cut.box_count
        return lines, angles

    async def _cut(self, quads: Quads) -> CutLines:
        view = self._view(quads)
        inputs: Tensors = {
            "image": view.pixels,
            "polys": view.quads,
            "reduction": np.array([self.page.reduction], dtype=np.int32),
            "exact": np.array([self.settings.exact]),
            "orientation_images": np.array([self._turns]),
        }
        cut = await self.call(contracts.CROP, inputs, STAGE_OUTPUTS[contracts.CROP])
        return CutLines(
            images=text_crop.split_lines(cut["pixels"], cut["widths"]),
            content_widths=cut["content_widths"],
            box_index=cut["line_index"],
            part_index=cut["part_index"],
            starts_word=cut["starts_word"],
            quads=cut["line_quads"] + view.origin,
            orientation_images=cut["orientation_images"],
            box_count=int(cut["polys_done"][0]),
        )

    def _view(self, quads: Quads) -> PageView:
        """Return the page with all quads; or the part of a large page around as many quads as fit.

        `exact` takes the whole page, as PaddleX does.
        """
        pixels, reduction = self.page.pixels, self.page.reduction
        if self.settings.exact or pixels.shape[0] * pixels.shape[1] <= MAX_CROP_PIXELS:
            return PageView(pixels, quads, np.zeros(2, np.float32))
        size = np.array(pixels.shape[1::-1])
        starts = np.minimum.accumulate(quads.min(axis=1)) // reduction - CROP_MARGIN_PX
        ends = np.maximum.accumulate(quads.max(axis=1)) // reduction + CROP_MARGIN_PX
        starts, ends = np.clip(starts, 0, size), np.clip(ends, 0, size)
        fitting = np.count_nonzero((ends - starts).prod(axis=1, dtype=np.int64) <= MAX_CROP_PIXELS)
        count = max(1, int(fitting))
        (left, top), (right, bottom) = starts[count - 1], ends[count - 1]
        origin = starts[count - 1] * reduction
        moved = (quads[:count] - origin).astype(np.int32)
        return PageView(pixels[top:bottom, left:right], moved, origin.astype(np.float32))

    @property
    def _turns(self) -> bool:
        return bool(self.settings.options["use_textline_orientation"])

    async def _columns(self, cut: CutLines) -> tuple[list[Columns], NDArray[np.bool_]]:
        """Return what the recognition network returns for each row, and which rows are upside down."""
        rows = np.arange(len(cut.images), dtype=np.int32)

        async def classify(numbers: Ints) -> NDArray[np.bool_]:
            outputs = await self._in_chunks(Role.TEXTLINE_ORIENTATION, cut.orientation_images[numbers])
            upside_down: NDArray[np.bool_] = (
                np.concatenate([chunk["probabilities"] for chunk in outputs]).argmax(axis=1) == 1
            )
            return upside_down

        async def recognise_turned(numbers: Ints) -> list[Columns]:
            cut.turn_upside_down(numbers.tolist())
            return await self._recognise([cut.images[number] for number in numbers])

        if self._turns and self.settings.exact and len(rows):
            upside_down = await classify(rows)
            cut.turn_upside_down(np.flatnonzero(upside_down).tolist())
            return await self._recognise(cut.images), upside_down
        columns = await self._recognise(cut.images)
        if not self._turns:
            return columns, np.zeros(len(rows), dtype=bool)
        return columns, await Orientation(classify, recognise_turned).settle(columns)

    async def _recognise(self, images: Sequence[Image]) -> list[Columns]:
        """Return what the recognition network returns for each image, narrowest first."""
        batches = [np.stack(list(run)) for _, run in groupby(images, key=lambda image: image.shape[1])]
        calls = [self._in_chunks(Role.TEXT_RECOGNITION, batch) for batch in batches]
        chunks = [chunk for chunks in await asyncio.gather(*calls) for chunk in chunks]
        return [row for chunk in chunks for row in zip(chunk["indices"], chunk["confidences"], strict=True)]

    async def _decoded(
        self, cut: CutLines, columns: list[Columns], upside_down: NDArray[np.bool_]
    ) -> list[Line]:
        if not cut.images:
            return []
        widths = np.array([image.shape[1] for image in cut.images])
        counts = np.array([len(indices) for indices, _ in columns])
        inputs: Tensors = {
            "indices": _stack([indices for indices, _ in columns]),
            "confidences": _stack([confidences for _, confidences in columns]),
            "column_counts": (counts * cut.content_widths / widths).astype(np.float32),
            "return_words": np.array([self.settings.options["return_word_box"]]),
            "return_characters": np.array([self.settings.options["return_char_box"]]),
            "exact": np.array([self.settings.exact]),
            "model_name": np.array([self.settings.networks[Role.TEXT_RECOGNITION]], dtype=object),
        }
        decoded = await self.call(contracts.DECODE, inputs, STAGE_OUTPUTS[contracts.DECODE])
        return self._lines(cut, decoded, upside_down)

    def _lines(self, cut: CutLines, decoded: Tensors, upside_down: NDArray[np.bool_]) -> list[Line]:
        """Put the decoded rows together to lines, in the order of their boxes."""
        words = self._placed("word", decoded, cut, upside_down)
        characters = self._placed("char", decoded, cut, upside_down)
        parts = np.where(upside_down, -cut.part_index, cut.part_index)
        order = np.lexsort((parts, cut.box_index)).tolist()
        lines = []
        for box_index, rows_of_box in groupby(order, key=lambda row: int(cut.box_index[row])):
            rows = list(rows_of_box)
            text, score = _joined(rows, decoded, cut.starts_word)
            lines.append(
                Line(
                    box_index,
                    text,
                    score,
                    tuple(word for row in rows for word in words[row]),
                    tuple(character for row in rows for character in characters[row]),
                )
            )
        return lines

    def _placed(
        self, kind: str, decoded: Tensors, cut: CutLines, upside_down: NDArray[np.bool_]
    ) -> list[list[PlacedText]]:
        """Return the words or characters of each row, with their quads on the page."""
        placed: list[list[PlacedText]] = [[] for _ in cut.images]
        rows = decoded[f"{kind}_line_index"]
        texts, scores = decoded[f"{kind}_texts"], decoded[f"{kind}_scores"].tolist()
        for row, span, text, score in zip(rows, decoded[f"{kind}_spans"], texts, scores, strict=True):
            # A line that is upside down is read from the end of its quad.
            corners = np.roll(cut.quads[row], 2, axis=0) if upside_down[row] else cut.quads[row]
            quad = parts_of_line(corners, span[np.newaxis])[0]
            placed[row].append(PlacedText(str(text), self._whole_pixels(quad), score))
        return placed

    def _whole_pixels(self, quad: NDArray[np.float64]) -> NDArray[np.int32]:
        """Round a quad to pixels of the page; `exact` truncates as PaddleX does."""
        rounded = np.floor(quad + 1e-3) if self.settings.exact else np.rint(quad)
        height, width = self.page.size
        return np.clip(rounded, 0, (width, height)).astype(np.int32)

    async def _in_chunks(self, role: Role, batch: NDArray[np.uint8]) -> list[_Outputs]:
        starts = range(0, len(batch), MAX_LINES_PER_CALL)
        chunks = [batch[start : start + MAX_LINES_PER_CALL] for start in starts]
        network = self.settings.networks[role]
        calls = (self.call(network, {IMAGE: chunk}, NETWORK_OUTPUTS[role]) for chunk in chunks)
        return await asyncio.gather(*calls)


def _joined(
    rows: Sequence[int], decoded: Mapping[str, NDArray[Any]], starts_word: NDArray[np.bool_]
) -> tuple[str, float]:
    """Return the text of a line's parts, and their mean score weighted by length."""
    if len(rows) == 1:
        return str(decoded["texts"][rows[0]]), float(decoded["scores"][rows[0]])
    text = ""
    for row in rows:
        part = str(decoded["texts"][row])
        needs_space = starts_word[row] and text and part and not (text[-1].isspace() or part[0].isspace())
        text += f" {part}" if needs_space else part
    lengths = [len(decoded["texts"][row]) for row in rows]
    score = np.average([decoded["scores"][row] for row in rows], weights=lengths) if any(lengths) else 0.0
    return text, float(score)


def _stack(rows: list[NDArray[Any]]) -> NDArray[Any]:
    """Return [k, T] of rows [t], filled up with zeros, which are CTC blanks."""
    stacked = np.zeros((len(rows), max(map(len, rows))), dtype=rows[0].dtype)
    for number, row in enumerate(rows):
        stacked[number, : len(row)] = row
    return stacked
