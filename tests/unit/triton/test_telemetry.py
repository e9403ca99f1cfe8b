"""The telemetry of a request: seconds that add up, and no content of the document."""

import asyncio
import time

import numpy as np
import pytest

from tritonocr_backend.core.arrays import Tensors
from tritonocr_backend.core.contracts import STAGE_OUTPUTS, Role
from tritonocr_backend.triton.telemetry import (
    CLOCK,
    TIMED_STEPS,
    FileRecord,
    PageRecord,
    StageClock,
    TimedCaller,
    received_bytes,
)

STEP_S = 0.02


class TestStageClock:
    def test_calls_that_overlap_count_once(self) -> None:
        async def sleeps(model: str, inputs: Tensors, outputs: object) -> dict[str, object]:
            await asyncio.sleep(STEP_S)
            return {}

        async def four_at_once() -> StageClock:
            CLOCK.set(clock := StageClock({"my_rec": "text_recognition"}))
            call = TimedCaller(sleeps)
            await asyncio.gather(*(call("my_rec", {}, ()) for _ in range(4)))
            await call("text_crop", {}, ())
            return clock

        clock = asyncio.run(four_at_once())
        assert list(clock.seconds) == ["text_recognition", "text_crop"], "networks under their role's name"
        assert STEP_S <= clock.seconds["text_recognition"] < 3 * STEP_S
        assert sum(clock.seconds.values()) <= clock.age_s

    def test_pages_read_at_once_have_a_clock_each(self) -> None:
        async def sleeps(model: str, inputs: Tensors, outputs: object) -> dict[str, object]:
            await asyncio.sleep(STEP_S)
            return {}

        call = TimedCaller(sleeps)

        async def page(model: str) -> StageClock:
            CLOCK.set(clock := StageClock())
            await call(model, {}, ())
            return clock

        async def both() -> list[StageClock]:
            return list(await asyncio.gather(page("a"), page("b")))

        assert [list(clock.seconds) for clock in asyncio.run(both())] == [["a"], ["b"]]

    def test_a_stage_that_fails_is_timed_and_over(self) -> None:
        clock = StageClock()

        def fails() -> None:
            with clock.running("a"):
                time.sleep(STEP_S)
                raise LookupError

        for _ in range(2):
            with pytest.raises(LookupError):
                fails()
        assert 2 * STEP_S <= clock.seconds["a"] <= clock.age_s

    def test_a_stage_that_comes_again_adds_up(self) -> None:
        clock = StageClock()
        for _ in range(3):
            with clock.running("a"):
                time.sleep(STEP_S)
        assert 3 * STEP_S <= clock.seconds["a"] <= clock.age_s


def test_a_log_line_adds_up_the_pages() -> None:
    pages = [
        PageRecord(3, 1.0, {"text_crop": 0.25, "file_decode": 0.5}),
        PageRecord(4, 2.0, {"text_crop": 0.5}),
    ]
    fields = FileRecord("r-1", received_bytes=10, pages=pages).log_fields()
    assert fields.pop("milliseconds") >= 0
    assert fields == {
        "request_id": "r-1",
        "status": "ok",
        "received_bytes": 10,
        "pages": 2,
        "lines": 7,
        "stage_milliseconds": {"file_decode": 500.0, "text_crop": 750.0},
    }
    assert list(fields["stage_milliseconds"]) == [s for s in TIMED_STEPS if s in fields["stage_milliseconds"]]


@pytest.mark.parametrize(
    ("inputs", "size"),
    [
        pytest.param({"file": np.array([b"12345"], object)}, 5, id="a file"),
        pytest.param({"file": np.array([b"12", b"3"], object)}, 3, id="two, which is wrong, and told"),
        pytest.param({"image": np.zeros((4, 5, 3), np.uint8)}, 60, id="pixels"),
        pytest.param({}, 0, id="neither"),
    ],
)
def test_received_bytes(inputs: Tensors, size: int) -> None:
    assert received_bytes(inputs) == size


def test_every_stage_and_network_is_timed() -> None:
    assert {*STAGE_OUTPUTS, *(role.value for role in Role)} <= set(TIMED_STEPS)
