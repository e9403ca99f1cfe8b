"""The pipeline's own stages on named tensors, as their Triton models and in-process callers run them.

Each stage checks its inputs, since any client can call it directly, and bounds its work.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonocr_backend.core import contracts
from tritonocr_backend.core.arrays import Floats, Image, Quads, Tensors
from tritonocr_backend.core.contracts import MAX_MAP_PIXELS, MAX_MAP_SIDE_PX, MAX_WIDTH_PX
from tritonocr_backend.core.errors import InvalidInputError
from tritonocr_backend.core.repository_view import RepositoryView
from tritonocr_backend.pipeline import text_crop, text_detection, text_recognition
from tritonocr_backend.pipeline.line_geometry import line_rectangle
from tritonocr_backend.pipeline.text_recognition import DecodedLine
from tritonocr_backend.pipeline.words import TextSpan, split_characters, split_paddlex_words, split_words
from tritonocr_common.options import OPTIONS, OptionValueError

MAX_CANDIDATES = 1_000_000
MAX_CUT_BYTES = 1 << 25
"""Maximum bytes of line images per call of the crop stage, not counting its last line."""
MAX_SAMPLED_PIXELS = 1 << 27
"""Maximum page pixels inside the lines that one call cuts; `exact` copies all of them."""
MAX_CUT_BOXES = 4096
MAX_DECODED_COLUMNS = MAX_WIDTH_PX // 4  # of the widest line; PP-OCR's networks have one per 8 px
MAX_DECODED_LINES = MAX_CUT_BOXES * text_crop.MAX_PARTS
MAX_DECODED_CHARACTERS = 1 << 17
"""Columns with a character in one call of the decoder: more than MAX_CUT_BYTES of line images have."""
MAX_PAGE_SIDE_PX = 1 << 24  # float32 has all whole numbers up to this

Checkpoint = Callable[[], None]
"""Called often during long work; raises an exception to stop it."""


def _never_stop() -> None:
    """Let the work go on."""


def run_stage(
    name: str, inputs: Tensors, repository: RepositoryView, checkpoint: Checkpoint = _never_stop
) -> dict[str, NDArray[Any]]:
    """Run a stage by its model's name.

    Args:
        name: the model's name.
        inputs: the stage's input tensors.
        repository: the model repository, which has the decoder's dictionaries.
        checkpoint: called often; raises an exception to stop the stage.

    Raises:
        InvalidInputError: an input is wrong.
    """
    if name == contracts.POSTPROCESS:
        return text_detection_postprocess(inputs, checkpoint)
    if name == contracts.CROP:
        return text_crop_lines(inputs, checkpoint)
    network = str(inputs["model_name"][0])
    characters = text_recognition.class_characters(repository.characters(network))
    right_to_left = repository.is_right_to_left(network)
    return text_recognition_decode(inputs, characters, right_to_left=right_to_left, checkpoint=checkpoint)


def text_detection_postprocess(
    inputs: Tensors, checkpoint: Checkpoint = _never_stop
) -> dict[str, NDArray[Any]]:
    """Turn a probability map into boxes; see `text_detection.db_postprocess`.

    Args:
        inputs: probability FP32 [H', W'], page_size INT32 [2] (height, width), thresh, box_thresh and
            unclip_ratio FP32 [1], max_candidates INT32 [1], exact BOOL [1].
        checkpoint: see `run_stage`.

    Returns:
        polys INT32 [n, 4, 2], scores FP32 [n], max_candidates_reached BOOL [1].

    Raises:
        InvalidInputError: a size is 0 or too large, or a number is not finite or out of range.
    """
    probability, max_candidates = inputs["probability"], int(inputs["max_candidates"][0])
    height, width = inputs["page_size"].tolist()
    if not (1 <= height <= MAX_PAGE_SIDE_PX and 1 <= width <= MAX_PAGE_SIDE_PX):
        raise InvalidInputError(f"page_size: got {height}x{width}, expected sides of 1 to {MAX_PAGE_SIDE_PX}")
    _check_probability(probability)
    if not 1 <= max_candidates <= MAX_CANDIDATES:
        raise InvalidInputError(f"max_candidates: got {max_candidates}, expected 1 to {MAX_CANDIDATES}")
    boxes = text_detection.db_postprocess(
        probability,
        (height, width),
        thresh=_detection_option("thresh", inputs),
        box_thresh=_detection_option("box_thresh", inputs),
        unclip_ratio=_detection_option("unclip_ratio", inputs),
        max_candidates=max_candidates,
        exact=bool(inputs["exact"][0]),
        checkpoint=checkpoint,
    )
    reached = np.array([boxes.max_candidates_reached])
    return {"polys": boxes.quads, "scores": boxes.scores, "max_candidates_reached": reached}


def _check_probability(probability: Floats) -> None:
    shape = list(probability.shape)
    if not probability.size:
        raise InvalidInputError(f"probability: got shape {shape}, expected no side of 0")
    if probability.size > MAX_MAP_PIXELS or max(shape) > MAX_MAP_SIDE_PX:
        raise InvalidInputError(
            f"probability: got shape {shape}, expected at most {MAX_MAP_PIXELS} values "
            f"and no side over {MAX_MAP_SIDE_PX}"
        )
    if not np.isfinite(probability).all():
        raise InvalidInputError("probability: got a value that is not finite, expected values of 0 to 1")


def _detection_option(name: str, inputs: Tensors) -> float:
    """Check an input that is a `predict()` option without its prefix, as that option is checked."""
    try:
        return float(replace(OPTIONS[f"text_det_{name}"], name=name).check(float(inputs[name][0])))
    except OptionValueError as error:
        raise InvalidInputError(str(error)) from None


def text_crop_lines(inputs: Tensors, checkpoint: Checkpoint = _never_stop) -> dict[str, NDArray[Any]]:
    """Cut the lines out of a page; a quad without an area gives no line.

    The stage cuts the quads in their order until the line images reach MAX_CUT_BYTES, the area of the cut
    lines reaches MAX_SAMPLED_PIXELS, or MAX_CUT_BOXES quads are done. The caller asks again for the rest.

    Args:
        inputs: image UINT8 [H, W, 3] BGR; polys INT32 [n, 4, 2] in pixels of a page `reduction` INT32 [1]
            times as large as the image; exact BOOL [1] (see text_crop); orientation_images BOOL [1]
            (whether those are wanted).
        checkpoint: see `run_stage`.

    Returns:
        pixels UINT8 [-1], widths, content_widths INT32 [k] (see text_crop.PackedLines), line_index INT32 [k],
        the quad of each row, part_index INT32 [k] and starts_word BOOL [k] (see text_crop.CutLine),
        line_quads FP32 [k, 4, 2] in the direction of reading, orientation_images UINT8 [k or 0, 80, 160, 3],
        all in the same order; polys_done INT32 [1], the number of quads that were cut.

    Raises:
        InvalidInputError: the page has no pixels, a quad is not on it, or the reduction is invalid.
    """
    page, quads, reduction = inputs["image"], inputs["polys"], int(inputs["reduction"][0])
    exact, wanted = bool(inputs["exact"][0]), bool(inputs["orientation_images"][0])
    _check_page(page, quads, reduction, exact=exact)
    cuts: list[tuple[int, text_crop.CutLine]] = []
    bytes_left, pixels_left, done = MAX_CUT_BYTES, MAX_SAMPLED_PIXELS, 0
    for index, quad in enumerate(quads[:MAX_CUT_BOXES]):
        checkpoint()
        if bytes_left <= 0 or pixels_left <= 0:
            break
        done += 1
        line = line_rectangle(quad, exact=exact)
        if line is None:
            continue
        if exact:
            parts = text_crop.cut_line_exactly(page, quad, line, with_orientation_image=wanted)
        else:
            parts = text_crop.cut_line(page, line, reduction, with_orientation_image=wanted)
        cuts += [(index, part) for part in parts]
        bytes_left -= sum(_image_bytes(part) for part in parts)
        pixels_left -= line.width * line.height
    return {**_packed_tensors(cuts, with_orientation_images=wanted), "polys_done": np.array([done], np.int32)}


def _image_bytes(line: text_crop.CutLine) -> int:
    orientation_bytes = 0 if line.orientation_image is None else line.orientation_image.nbytes
    return contracts.LINE_HEIGHT_PX * line.padded_width * 3 + orientation_bytes


def _packed_tensors(
    cuts: Sequence[tuple[int, text_crop.CutLine]], *, with_orientation_images: bool
) -> dict[str, NDArray[Any]]:
    packed = text_crop.pack_lines([line for _, line in cuts])
    rows = [cuts[i] for i in packed.order.tolist()]
    images = [line.orientation_image for _, line in rows] if with_orientation_images else []
    orientation_images = np.array(images, dtype=np.uint8).reshape(-1, *contracts.LINE_ORIENTATION_SIZE_PX, 3)
    return {
        "pixels": packed.pixels,
        "widths": packed.widths,
        "content_widths": packed.content_widths,
        "line_index": np.array([index for index, _ in rows], dtype=np.int32),
        "part_index": np.array([line.part_index for _, line in rows], dtype=np.int32),
        "starts_word": np.array([line.starts_word for _, line in rows], dtype=bool),
        "line_quads": np.array([line.corners for _, line in rows], dtype=np.float32).reshape(-1, 4, 2),
        "orientation_images": orientation_images,
    }


def _check_page(page: Image, quads: Quads, reduction: int, *, exact: bool) -> None:
    if reduction < 1:
        raise InvalidInputError(f"reduction: got {reduction}, expected at least 1")
    if exact and reduction > 1:
        raise InvalidInputError(f"reduction: got {reduction} together with exact, expected 1")
    if not page.size:
        height, width = page.shape[:2]
        raise InvalidInputError(f"image: got an image of {width}x{height} px, expected at least 1x1")
    if len(quads):
        _check_on_page(quads, page.shape[0] * reduction, page.shape[1] * reduction)


def _check_on_page(quads: Quads, height: int, width: int) -> None:
    (left, top), (right, bottom) = quads.min(axis=(0, 1)), quads.max(axis=(0, 1))
    if left < 0 or top < 0 or right > width or bottom > height:
        raise InvalidInputError(
            f"polys: got x of {left} to {right} and y of {top} to {bottom}, "
            f"expected them on the page of {width}x{height} px"
        )


def text_recognition_decode(
    inputs: Tensors,
    characters: Sequence[str],
    *,
    right_to_left: bool = False,
    checkpoint: Checkpoint = _never_stop,
) -> dict[str, NDArray[Any]]:
    """Decode lines by CTC, with their words and characters if requested.

    Args:
        inputs: indices INT32 [n, T] and confidences FP32 [n, T], short lines filled up with blanks (0);
            column_counts FP32 [n], the columns that a line's content spans; return_words and
            return_characters BOOL [1]; exact BOOL [1], whether words are cut as PaddleX cuts them.
        characters: the text of each class.
        right_to_left: whether the network reads such a script; its texts are returned in logical order.
        checkpoint: see `run_stage`.

    Returns:
        texts STRING [n], scores FP32 [n]. One row per word: word_line_index INT32 [w], word_texts STRING [w],
        word_spans FP32 [w, 2], start and end as fractions of the line's width, word_scores FP32 [w]. One row
        per character: likewise with `char_`.

    Raises:
        InvalidInputError: a class is not in the dictionary, a number is not finite or out of range, or the
            shapes do not match.
    """
    _check_columns(inputs, len(characters))
    lines = []
    for indices, confidences in zip(inputs["indices"], inputs["confidences"], strict=True):
        checkpoint()
        line = text_recognition.ctc_decode(indices, confidences, characters)
        lines.append(text_recognition.in_logical_order(line) if right_to_left else line)
    split = split_paddlex_words if inputs["exact"][0] else split_words
    spans_of = partial(_spans, lines, inputs["column_counts"].tolist(), checkpoint)
    words = spans_of(split) if inputs["return_words"][0] else []
    chars = spans_of(split_characters) if inputs["return_characters"][0] else []
    return {
        "texts": np.array([line.text for line in lines], dtype=object),
        "scores": np.array([line.score for line in lines], dtype=np.float32),
        **_span_tensors("word", words),
        **_span_tensors("char", chars),
    }


def _check_columns(inputs: Tensors, class_count: int) -> None:
    indices, confidences, counts = (inputs[name] for name in ("indices", "confidences", "column_counts"))
    if confidences.shape != indices.shape:
        raise InvalidInputError(
            f"confidences: got shape {list(confidences.shape)}, expected {list(indices.shape)} as indices"
        )
    if len(counts) != len(indices):
        raise InvalidInputError(
            f"column_counts: got {len(counts)} values, expected {len(indices)}, one per line"
        )
    shape, used = indices.shape, int(np.count_nonzero(indices))
    if shape[0] > MAX_DECODED_LINES or shape[1] > MAX_DECODED_COLUMNS or used > MAX_DECODED_CHARACTERS:
        raise InvalidInputError(
            f"indices: got shape {list(shape)} with {used} characters, expected at most {MAX_DECODED_LINES} "
            f"lines of {MAX_DECODED_COLUMNS} columns with {MAX_DECODED_CHARACTERS} characters"
        )
    if indices.size and not 0 <= indices.min() <= indices.max() < class_count:
        raise InvalidInputError(
            f"indices: got {indices.min()} to {indices.max()}, expected 0 to {class_count - 1}"
        )
    if not np.isfinite(confidences).all():
        raise InvalidInputError("confidences: got a value that is not finite, expected values of 0 to 1")
    if not (np.isfinite(counts) & (counts > 0)).all():
        wrong = counts[~(np.isfinite(counts) & (counts > 0))][0]
        raise InvalidInputError(f"column_counts: got {wrong:g}, expected finite numbers above 0")


def _spans(
    lines: Sequence[DecodedLine],
    column_counts: Sequence[float],
    checkpoint: Checkpoint,
    split: Callable[[DecodedLine, float], list[TextSpan]],
) -> list[tuple[int, TextSpan]]:
    """Split each line to spans, each with the number of its line."""
    spans = []
    for number, (line, column_count) in enumerate(zip(lines, column_counts, strict=True)):
        checkpoint()
        spans += [(number, span) for span in split(line, column_count)]
    return spans


def _span_tensors(kind: str, spans: Sequence[tuple[int, TextSpan]]) -> dict[str, NDArray[Any]]:
    fractions = np.array([(span.start, span.end) for _, span in spans], dtype=np.float32)
    return {
        f"{kind}_line_index": np.array([number for number, _ in spans], dtype=np.int32),
        f"{kind}_texts": np.array([span.text for _, span in spans], dtype=object),
        f"{kind}_spans": fractions.reshape(-1, 2),
        f"{kind}_scores": np.array([span.score for _, span in spans], dtype=np.float32),
    }
