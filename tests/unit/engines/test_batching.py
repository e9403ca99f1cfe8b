"""Images of many requests in one engine: each request gets its own result, and equal widths share a batch."""

import threading
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tritonocr_backend.engines.batching import MOST_IMAGES, Batcher, split_batch

POISON = 255


class Recorder:
    """An engine that answers with each image's first pixel and its width, and records its batches."""

    def __init__(self, streams: int = 1, batch_sizes: Sequence[int] = ()) -> None:
        self.streams, self.batch_sizes = streams, batch_sizes
        self.batches: list[tuple[int, ...]] = []
        self.running = self.most_at_once = 0
        self._lock = threading.Lock()

    def infer(self, image: NDArray[np.uint8]) -> list[NDArray[Any]]:
        with self._lock:
            self.batches.append(image.shape)
            self.running += 1
            self.most_at_once = max(self.most_at_once, self.running)
        time.sleep(0.002)
        with self._lock:
            self.running -= 1
        if (image == POISON).any():
            raise RuntimeError("poison")
        return [image[:, 0, 0, 0].astype(np.int32), np.full(len(image), image.shape[2], np.float32)]


def lines(count: int, width: int, value: int) -> NDArray[np.uint8]:
    return np.full((count, 48, width, 3), value, np.uint8)


REQUESTS = st.lists(st.tuples(st.integers(1, 20), st.sampled_from([32, 64, 96])), max_size=8)


@settings(deadline=None)  # the engine takes its time, so that batches overlap
@given(REQUESTS, st.integers(1, 3), st.sampled_from([(), (8, 4, 1), (1,)]))
def test_every_image_gets_its_own_answer(
    requests: list[tuple[int, int]], streams: int, sizes: tuple[int, ...]
) -> None:
    images = [lines(count, width, number) for number, (count, width) in enumerate(requests)]
    answers = Batcher(Recorder(streams, sizes)).infer(images)
    for number, ((count, width), answer) in enumerate(zip(requests, answers, strict=True)):
        assert not isinstance(answer, Exception)
        assert [output.tolist() for output in answer] == [[number] * count, [width] * count]


def test_lines_of_one_width_meet_whoever_sent_them() -> None:
    engine = Recorder(batch_sizes=(8, 4, 1))
    Batcher(engine).infer([lines(3, 64, 0), lines(2, 32, 1), lines(5, 64, 2), lines(2, 32, 3)])
    assert [(batch[0], batch[2]) for batch in engine.batches] == [(8, 64), (4, 32)]


def test_batches_run_side_by_side_as_far_as_the_engine_can() -> None:
    engine = Recorder(streams=3, batch_sizes=(1,))
    Batcher(engine).infer([lines(30, 32, 0)])
    assert engine.most_at_once == 3


def test_an_engine_that_takes_any_batch_gets_no_larger_ones() -> None:
    engine = Recorder()
    Batcher(engine).infer([lines(40, 32, 0), lines(40, 32, 1)])
    assert sorted(batch[0] for batch in engine.batches) == [80 - MOST_IMAGES, MOST_IMAGES]


def test_of_images_that_fail_together_only_the_culprit_fails() -> None:
    answers = Batcher(Recorder()).infer([lines(1, 32, 1), lines(1, 32, POISON), lines(1, 64, 3)])
    assert isinstance(answers[1], RuntimeError)
    assert [answers[i][0].tolist() for i in (0, 2)] == [[1], [3]]


def test_nothing_to_do() -> None:
    assert Batcher(Recorder()).infer([]) == []


@pytest.mark.parametrize("count", [1, 7, 8, 21])
def test_parts_follow_one_another(count: int) -> None:
    batch = np.arange(count, dtype=np.uint8).reshape(-1, 1, 1, 1)
    assert np.concatenate(list(split_batch(batch, (8, 4, 1)))).ravel().tolist() == list(range(count))
