"""The pipeline's own stages, tensors in and tensors out: what their Triton models and in-process calls run.

Each checks what it is given, since each can be called alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonocr_backend.core import contracts
from tritonocr_backend.core.arrays import Image, Quads, Tensors
from tritonocr_backend.core.errors import InvalidInputError
from tritonocr_backend.core.repository_view import RepositoryView
from tritonocr_backend.core.settings import PAGE_OPTIONS
from tritonocr_backend.pipeline import text_crop, text_detection, text_recognition


def run_stage(name: str, inputs: Tensors, repository: RepositoryView) -> dict[str, NDArray[Any]]:
    """Run a stage by its model's name; the repository has the decoder's dictionaries."""
    if name == contracts.POSTPROCESS:
        return text_detection_postprocess(inputs)
    if name == contracts.CROP:
        return text_crop_lines(inputs)
    network = str(inputs["model_name"][0])
    characters = text_recognition.class_characters(repository.characters(network))
    right_to_left = repository.is_right_to_left(network)
    return text_recognition_decode(inputs, characters, right_to_left=right_to_left)


def text_detection_postprocess(inputs: Tensors) -> dict[str, NDArray[Any]]:
    """DB postprocessing.

    Args:
        inputs: probability FP32 [H', W'], page_size INT32 [2] (height, width), thresh, box_thresh and
            unclip_ratio FP32 [1], max_candidates INT32 [1].

    Returns:
        polys INT32 [n, 4, 2], scores FP32 [n], max_candidates_reached BOOL [1].

    Raises:
        InvalidInputError: a size is 0 or a number out of range.
    """
    probability, max_candidates = inputs["probability"], int(inputs["max_candidates"][0])
    height, width = inputs["page_size"].tolist()
    if height < 1 or width < 1:
        raise InvalidInputError(f"page_size: got {height}x{width}, expected at least 1x1")
    if not probability.size:
        raise InvalidInputError(f"probability: got shape {list(probability.shape)}, expected no side of 0")
    if max_candidates < 1:
        raise InvalidInputError(f"max_candidates: got {max_candidates}, expected at least 1")
    boxes = text_detection.db_postprocess(
        probability,
        (height, width),
        thresh=_detection_option("thresh", inputs),
        box_thresh=_detection_option("box_thresh", inputs),
        unclip_ratio=_detection_option("unclip_ratio", inputs),
        max_candidates=max_candidates,
    )
    reached = np.array([boxes.max_candidates_reached])
    return {"polys": boxes.quads, "scores": boxes.scores, "max_candidates_reached": reached}


def _detection_option(name: str, inputs: Tensors) -> float:
    """An input that is a `predict()` option without its prefix, checked as that option is."""
    option = replace(PAGE_OPTIONS[f"text_det_{name}"], name=name)
    return float(option.check(float(inputs[name][0])))


def text_crop_lines(inputs: Tensors) -> dict[str, NDArray[Any]]:
    """Cut the lines out of a page; quads without an area give no line.

    Args:
        inputs: image UINT8 [H, W, 3] BGR; polys INT32 [n, 4, 2] in pixels of a page `reduction` INT32 [1]
            times as large as the image; exact BOOL [1] (see text_crop); orientation_images BOOL [1]
            (whether those are wanted).

    Returns:
        pixels UINT8 [-1], widths, content_widths INT32 [k] (see text_crop.PackedLines), line_index INT32 [k],
        the quad of each line, and orientation_images UINT8 [k or 0, 80, 160, 3] in the same order.

    Raises:
        InvalidInputError: the page has no pixels, a quad is not on it, or the reduction makes no sense.
    """
    page, quads, reduction = inputs["image"], inputs["polys"], int(inputs["reduction"][0])
    exact, wanted = bool(inputs["exact"][0]), bool(inputs["orientation_images"][0])
    _check_reduction(reduction, exact=exact)
    _check_on_page(page, quads, reduction)

    def cut(quad: Quads) -> text_crop.CutLine | None:
        if exact:
            return text_crop.cut_line_exactly(page, quad, with_orientation_image=wanted)
        return text_crop.cut_line(page, quad, reduction, with_orientation_image=wanted)

    lines = {i: line for i, quad in enumerate(quads) if (line := cut(quad)) is not None}
    packed = text_crop.pack_lines(list(lines.values()))
    line_index = np.array(list(lines), dtype=np.int32)[packed.order]
    images = [lines[i].orientation_image for i in line_index.tolist()] if wanted else []
    orientation_images = np.array(images, dtype=np.uint8).reshape(-1, *contracts.LINE_ORIENTATION_SIZE_PX, 3)
    return {
        "pixels": packed.pixels,
        "widths": packed.widths,
        "content_widths": packed.content_widths,
        "line_index": line_index,
        "orientation_images": orientation_images,
    }


def _check_reduction(reduction: int, *, exact: bool) -> None:
    if reduction < 1:
        raise InvalidInputError(f"reduction: got {reduction}, expected at least 1")
    if exact and reduction > 1:
        raise InvalidInputError(f"reduction: got {reduction} together with exact, expected 1")


def _check_on_page(page: Image, quads: Quads, reduction: int) -> None:
    if not page.size:
        height, width = page.shape[:2]
        raise InvalidInputError(f"image: got an image of {width}x{height} px, expected at least 1x1")
    if not len(quads):
        return
    height, width = page.shape[0] * reduction, page.shape[1] * reduction
    (left, top), (right, bottom) = quads.min(axis=(0, 1)), quads.max(axis=(0, 1))
    if left < 0 or top < 0 or right > width or bottom > height:
        raise InvalidInputError(
            f"polys: got x of {left} to {right} and y of {top} to {bottom}, "
            f"expected them on the page of {width}x{height} px"
        )


def text_recognition_decode(
    inputs: Tensors, characters: Sequence[str], *, right_to_left: bool = False
) -> dict[str, NDArray[Any]]:
    """CTC decoding of lines, with their words if asked for.

    Args:
        inputs: indices INT32 [n, T] and confidences FP32 [n, T], short lines filled up with blanks (0);
            column_counts FP32 [n], the columns that a line's content spans (used for words only);
            return_words BOOL [1].
        characters: what each class stands for.
        right_to_left: whether the network reads such a script; its texts come out in logical order.

    Returns:
        texts STRING [n], scores FP32 [n]; a row a word: word_line_index INT32 [w], word_texts STRING [w],
        word_spans FP32 [w, 2], where it starts and ends, in columns.

    Raises:
        InvalidInputError: a class is not in the dictionary, or the shapes do not fit each other.
    """
    indices, confidences, column_counts = (
        inputs[name] for name in ("indices", "confidences", "column_counts")
    )
    if confidences.shape != indices.shape:
        raise InvalidInputError(
            f"confidences: got shape {list(confidences.shape)}, expected {list(indices.shape)} as indices"
        )
    if len(column_counts) != len(indices):
        raise InvalidInputError(
            f"column_counts: got {len(column_counts)} values, expected {len(indices)}, one a line"
        )
    if indices.size and not 0 <= indices.min() <= indices.max() < len(characters):
        raise InvalidInputError(
            f"indices: got {indices.min()} to {indices.max()}, expected 0 to {len(characters) - 1}"
        )
    lines = [
        text_recognition.ctc_decode(row, row_confidences, characters)
        for row, row_confidences in zip(indices, confidences, strict=True)
    ]
    if right_to_left:
        lines = [text_recognition.in_logical_order(line) for line in lines]
    words = _words(lines, column_counts) if inputs["return_words"][0] else []
    return {
        "texts": np.array([line.text for line in lines], dtype=object),
        "scores": np.array([line.score for line in lines], dtype=np.float32),
        "word_line_index": np.array([number for number, *_ in words], dtype=np.int32),
        "word_texts": np.array([text for _, text, _ in words], dtype=object),
        "word_spans": np.array([span for *_, span in words], dtype=np.float32).reshape(-1, 2),
    }


def _words(
    lines: list[text_recognition.DecodedLine], column_counts: NDArray[np.float32]
) -> list[tuple[int, str, tuple[float, float]]]:
    return [
        (number, word.text, (word.start_column, word.end_column))
        for number, (line, columns) in enumerate(zip(lines, column_counts.tolist(), strict=True))
        for word in text_recognition.split_words(line, columns)
    ]
