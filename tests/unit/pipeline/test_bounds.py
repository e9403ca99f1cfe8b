"""Direct calls of each stage: work and memory are bounded, and a cancelled call stops."""

import asyncio
import time
from typing import Any

import cv2
import numpy as np
import pytest
from fake_models import FakeModels
from numpy.typing import NDArray
from scripted_pages import FIRST, PAGE, box, page_with, read
from stage_inputs import crop_inputs, decode_inputs, postprocess_inputs, refused

from tritonocr_backend.core import contracts
from tritonocr_backend.pipeline import stages, text_detection
from tritonocr_backend.pipeline.stages import (
    text_crop_lines,
    text_detection_postprocess,
    text_recognition_decode,
)


class StoppedError(Exception):
    """The checkpoint of these tests."""


class StopAfter:
    """A checkpoint that stops the work at its n-th call."""

    def __init__(self, calls: int) -> None:
        self.calls_left = calls

    def __call__(self) -> None:
        self.calls_left -= 1
        if not self.calls_left:
            raise StoppedError


def dots(count: int) -> NDArray[np.float32]:
    """A map with that many dots of 4 x 4 px, in rows."""
    columns = 400
    rows = -(-count // columns)
    probability = np.zeros((8 * rows + 8, 8 * columns), np.float32)
    for number in range(count):
        y, x = 8 * (number // columns) + 2, 8 * (number % columns) + 2
        probability[y : y + 4, x : x + 4] = 0.9
    return probability


def seconds(count: int) -> float:
    inputs = postprocess_inputs(
        probability=dots(count),
        page_size=np.array([4000, 4000], np.int32),
        max_candidates=np.array([1_000_000], np.int32),
    )
    started = time.process_time()
    text_detection_postprocess(inputs)
    return time.process_time() - started


class TestPostprocess:
    def test_takes_time_in_proportion_to_the_dots(self) -> None:
        seconds(10)
        assert seconds(10_000) < 40 * max(seconds(1000), 0.01), "100 times if each dot meets each other dot"

    def test_examines_no_more_candidates_than_asked_for(self) -> None:
        calls = StopAfter(10_000)
        inputs = postprocess_inputs(probability=dots(3000), max_candidates=np.array([50], np.int32))
        found = text_detection_postprocess(inputs, calls)
        assert calls.calls_left == 10_000 - 50
        assert found["max_candidates_reached"].tolist() == [True]

    def test_stops_scoring_nested_frames(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(text_detection, "MAX_SCORED_PIXELS", 3 * 400 * 400)
        probability = np.zeros((400, 400), np.float32)
        for inset in range(0, 190, 10):
            cv2.rectangle(probability, (inset, inset), (399 - inset, 399 - inset), 0.9, 2)
        checked = StopAfter(10_000)
        found = text_detection_postprocess(postprocess_inputs(probability=probability), checked)
        assert 10_000 - checked.calls_left < 30, "19 frames have 38 contours"
        assert found["max_candidates_reached"].tolist() == [True]

    def test_stops_when_nobody_waits(self) -> None:
        with pytest.raises(StoppedError):
            text_detection_postprocess(postprocess_inputs(probability=dots(100)), StopAfter(7))

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            pytest.param(
                {"probability": np.full((4, 4), np.nan, np.float32)},
                "probability: got a value that is not finite, expected values of 0 to 1",
                id="no number",
            ),
            pytest.param(
                {"probability": np.full((4, 4), np.inf, np.float32)},
                "probability: got a value that is not finite, expected values of 0 to 1",
                id="infinite",
            ),
            pytest.param(
                {"probability": np.broadcast_to(np.float32(0), (5000, 5000))},
                "probability: got shape [5000, 5000], expected at most 16777216 values "
                "and no side over 65536",
                id="more than any page has",
            ),
            pytest.param(
                {"probability": np.broadcast_to(np.float32(0), (1, 70_000))},
                "probability: got shape [1, 70000], expected at most 16777216 values and no side over 65536",
                id="a side that is too long",
            ),
            pytest.param(
                {"max_candidates": np.array([2_000_000_000], np.int32)},
                "max_candidates: got 2000000000, expected 1 to 1000000",
                id="no bound at all",
            ),
        ],
    )
    def test_refuses_what_is_too_large_or_no_number(self, changes: Any, message: str) -> None:
        assert refused(text_detection_postprocess, postprocess_inputs(**changes)) == message


WHOLE_PAGE = [[0, 0], [3000, 0], [3000, 50], [0, 50]]


class TestCrop:
    def test_returns_a_bounded_number_of_bytes_and_says_how_far_it_came(self) -> None:
        polys = np.array([WHOLE_PAGE] * 1500, np.int32)
        page = np.zeros((60, 3000, 3), np.uint8)
        out = text_crop_lines(crop_inputs(image=page, polys=polys))
        (done,) = out["polys_done"].tolist()
        assert 0 < done < 100
        assert out["line_index"].tolist() == list(range(done))
        assert out["pixels"].nbytes + out["orientation_images"].nbytes < 1.1 * stages.MAX_CUT_BYTES

    def test_copies_a_bounded_number_of_pixels_in_paddlexs_way(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(stages, "MAX_SAMPLED_PIXELS", 10 * 100 * 100)
        polys = np.array([[[0, 0], [100, 0], [100, 100], [0, 100]]] * 40, np.int32)
        out = text_crop_lines(crop_inputs(polys=polys, exact=np.array([True])))
        assert out["polys_done"].tolist() == [10]

    def test_at_least_one_box_is_done(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(stages, "MAX_CUT_BYTES", 1)
        assert text_crop_lines(crop_inputs())["polys_done"].tolist() == [1]

    def test_boxes_without_an_area_count_too(self) -> None:
        polys = np.zeros((10_000, 4, 2), np.int32)
        assert text_crop_lines(crop_inputs(polys=polys))["polys_done"].tolist() == [stages.MAX_CUT_BOXES]

    def test_stops_when_nobody_waits(self) -> None:
        with pytest.raises(StoppedError):
            text_crop_lines(crop_inputs(polys=np.array([WHOLE_PAGE] * 9, np.int32) // 20), StopAfter(7))


class TestDecode:
    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            pytest.param(
                {"confidences": np.full((2, 3), np.nan, np.float32)},
                "confidences: got a value that is not finite, expected values of 0 to 1",
                id="a confidence that is no number",
            ),
            pytest.param(
                {"column_counts": np.array([3, 0], np.float32)},
                "column_counts: got 0, expected finite numbers above 0",
                id="a line without a column",
            ),
            pytest.param(
                {"column_counts": np.array([np.inf, 3], np.float32)},
                "column_counts: got inf, expected finite numbers above 0",
                id="an endless line",
            ),
        ],
    )
    def test_refuses_what_is_no_number(self, changes: Any, message: str) -> None:
        assert refused(text_recognition_decode, decode_inputs(**changes), ["", "a", "b", " "]) == message

    def test_stops_when_nobody_waits(self) -> None:
        with pytest.raises(StoppedError):
            text_recognition_decode(decode_inputs(), ["", "a", "b"], checkpoint=StopAfter(2))


class TestPage:
    def test_with_many_lines_is_read_in_chunks_and_keeps_them_all(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(stages, "MAX_CUT_BYTES", 200_000)
        quads = [box(20, 30 * row, height=20) for row in range(1, 20)]
        page = page_with(*((quad, 100 + row, 50) for row, quad in enumerate(quads)))
        models = FakeModels(quads)
        result = read(models, page, use_textline_orientation=True)
        crops = [inputs for model, inputs in models.calls if model == contracts.CROP]
        assert len(crops) > 3
        assert [line.text for line in result.lines] == [str(100 + row) for row in range(19)]
        assert [line.box_index for line in result.lines] == list(range(19))
        assert result.line_angles.tolist() == [0] * 19

    def test_a_model_is_not_called_again_after_the_request_is_abandoned(self) -> None:
        class Abandoned(FakeModels):
            async def __call__(self, model: str, *rest: Any) -> Any:
                if model == contracts.CROP:
                    raise asyncio.CancelledError
                return await super().__call__(model, *rest)

        models = Abandoned([FIRST])
        with pytest.raises(asyncio.CancelledError):
            read(models, PAGE)
        assert [model for model, _ in models.calls] == ["text_detection", contracts.POSTPROCESS]


@pytest.mark.parametrize("shape", ["dots", "holes"])
def test_contours_have_bounded_memory(shape: str) -> None:
    """A million contours took 2 GB. The lowest ones are kept, which `max_candidates` keeps, too."""
    mask = np.full((1500, 2048), shape == "holes", np.uint8)
    mask[::2, 1::2] = shape == "dots"
    assert text_detection.clear_excess(mask)
    contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    assert 200_000 < len(contours) <= text_detection.MAX_CONTOURS
    assert max(int(contour[:, 0, 1].max()) for contour in contours[:100]) >= 1498


def test_a_full_page_of_text_loses_no_contour() -> None:
    """300 lines of 100 words on the largest map."""
    mask = np.zeros((4096, 4096), np.uint8)
    for y in range(0, 4080, 13):
        for x in range(0, 4060, 40):
            mask[y : y + 8, x : x + 30] = 1
    before = mask.copy()
    assert not text_detection.clear_excess(mask)
    assert (mask == before).all()


@pytest.mark.parametrize(
    ("shape", "reason"),
    [((1, 1_000_000), "a line of a million columns took 64 s"), ((20_000, 400), "this took over 100 s")],
)
def test_the_decoder_reads_no_more_than_a_chunk_of_a_page(shape: tuple[int, int], reason: str) -> None:
    indices = np.ones(shape, np.int32)
    inputs = decode_inputs(
        indices=indices,
        confidences=indices.astype(np.float32),
        column_counts=np.ones(len(indices), np.float32),
    )
    message = refused(text_recognition_decode, inputs, ["", "a"])
    assert message.startswith(f"indices: got shape {list(shape)}"), reason
