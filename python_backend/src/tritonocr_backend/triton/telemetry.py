"""Telemetry of a request: its status, its size, and the duration of each stage.

The records never contain a document's text or an option's value.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final

from numpy.typing import NDArray

from tritonocr_backend.core import contracts
from tritonocr_backend.core.arrays import Tensors
from tritonocr_backend.core.contracts import Role
from tritonocr_backend.pipeline.line_reading import ModelCaller
from tritonocr_common.error_reasons import Reason

READ_FILE: Final = "file_decode"
"""Decoding the file to pixels. Other stages have the name of the role or of the model."""
WRITE_ANSWER: Final = "answer_encode"
TIMED_STEPS: Final = (
    READ_FILE,
    Role.DOC_ORIENTATION.value,
    Role.DOC_UNWARPING.value,
    Role.TEXT_DETECTION.value,
    contracts.POSTPROCESS,
    contracts.CROP,
    Role.TEXTLINE_ORIENTATION.value,
    Role.TEXT_RECOGNITION.value,
    contracts.DECODE,
    WRITE_ANSWER,
)
"""The stages in the order in which a page passes through them."""


class StageClock:
    """Measure the seconds of each stage of a page.

    Use one clock from one event loop only. Calls that overlap, such as calls for lines of different widths,
    count once: the stages together take at most the time of the page.

    Args:
        stage_of: name of the stage by the name of the model, if the names differ.
    """

    def __init__(self, stage_of: Mapping[str, str] | None = None) -> None:
        self.seconds: dict[str, float] = {}
        self._started_s = time.monotonic()
        self._stage_of = dict(stage_of or {})
        self._in_flight: Counter[str] = Counter()
        self._since_s: dict[str, float] = {}

    @property
    def age_s(self) -> float:
        """Seconds since the clock was created."""
        return time.monotonic() - self._started_s

    @contextmanager
    def running(self, model: str) -> Iterator[None]:
        """Count the time inside the block for the stage of the model."""
        stage = self._stage_of.get(model, model)
        if not self._in_flight[stage]:
            self._since_s[stage] = time.monotonic()
        self._in_flight[stage] += 1
        try:
            yield
        finally:
            self._in_flight[stage] -= 1
            if not self._in_flight[stage]:
                passed_s = time.monotonic() - self._since_s[stage]
                self.seconds[stage] = self.seconds.get(stage, 0.0) + passed_s


CLOCK: ContextVar[StageClock] = ContextVar("CLOCK")
"""The clock of the page that the current task reads."""


class TimedCaller:
    """A ModelCaller that measures each call with the clock of the page."""

    def __init__(self, call: ModelCaller) -> None:
        self._call = call

    async def __call__(self, model: str, inputs: Tensors, outputs: Sequence[str]) -> dict[str, NDArray[Any]]:
        """See pipeline.ModelCaller."""
        with CLOCK.get().running(model):
            return await self._call(model, inputs, outputs)


@dataclass(frozen=True)
class PageRecord:
    """A page that was read: the number of lines, its seconds, and the seconds of each stage."""

    lines: int
    seconds: float
    stage_seconds: Mapping[str, float]


@dataclass
class FileRecord:
    """A request: one file, or one image.

    Attributes:
        request_id: the id that the client chose; can be empty.
        received_bytes: size of the received file or pixels.
        pages: the pages that were read.
        clock: measures the request, and the steps that apply to the whole file.
        reason: why the request failed; None if it did not.
    """

    request_id: str
    received_bytes: int = 0
    pages: list[PageRecord] = field(default_factory=list)
    clock: StageClock = field(default_factory=StageClock)
    reason: Reason | None = None

    def log_fields(self) -> dict[str, Any]:
        """Return the fields of the request's log line."""
        stages: Counter[str] = Counter(self.clock.seconds)
        for page in self.pages:
            stages.update(page.stage_seconds)
        return {
            "request_id": self.request_id,
            "status": self.reason or "ok",
            "received_bytes": self.received_bytes,
            "pages": len(self.pages),
            "lines": sum(page.lines for page in self.pages),
            "milliseconds": _milliseconds(self.clock.age_s),
            "stage_milliseconds": {
                name: _milliseconds(stages[name]) for name in TIMED_STEPS if name in stages
            },
        }


def received_bytes(inputs: Tensors) -> int:
    """Return the size of a request's file or pixels in bytes."""
    if "image" in inputs:
        return inputs["image"].nbytes
    return sum(map(len, inputs["file"].ravel())) if "file" in inputs else 0


def _milliseconds(seconds: float) -> float:
    return round(1000 * seconds, 1)
