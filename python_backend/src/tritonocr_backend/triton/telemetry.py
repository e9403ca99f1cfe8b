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
"""From bytes to pixels; the stages between are named after what is called."""
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
"""In the order of a page's way."""


class StageClock:
    """Seconds that each stage of a page took: from its first call's start to its last call's end.

    To be used from one event loop. Calls that overlap, such as those for lines of different widths, count
    once, so that the stages' seconds add up to no more than the page's.

    Args:
        stage_of: names of stages by the names of the models that run them, where they differ.
    """

    def __init__(self, stage_of: Mapping[str, str] | None = None) -> None:
        self.seconds: dict[str, float] = {}
        self._started_s = time.monotonic()
        self._stage_of = dict(stage_of or {})
        self._in_flight: Counter[str] = Counter()
        self._since_s: dict[str, float] = {}

    @property
    def age_s(self) -> float:
        """Seconds since it was made."""
        return time.monotonic() - self._started_s

    @contextmanager
    def running(self, model: str) -> Iterator[None]:
        """Time what is done within as the stage of that model."""
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
"""The clock of the page that the running task reads."""


class TimedCaller:
    """A ModelCaller that shows every call to the page's clock."""

    def __init__(self, call: ModelCaller) -> None:
        self._call = call

    async def __call__(self, model: str, inputs: Tensors, outputs: Sequence[str]) -> dict[str, NDArray[Any]]:
        """See pipeline.ModelCaller."""
        with CLOCK.get().running(model):
            return await self._call(model, inputs, outputs)


@dataclass(frozen=True)
class PageRecord:
    """A page that was read: its lines, and the seconds it and each of its stages took."""

    lines: int
    seconds: float
    stage_seconds: Mapping[str, float]


@dataclass
class FileRecord:
    """A request: one file, or one image.

    Attributes:
        request_id: as the client named it; may be empty.
        received_bytes: of the file as it came, or of the pixels.
        pages: those that were read.
        clock: times the request, and what is done for the file as a whole.
        reason: why there was no full answer.
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
    """Size of a request's file or pixels."""
    if "image" in inputs:
        return inputs["image"].nbytes
    return sum(map(len, inputs["file"].ravel())) if "file" in inputs else 0


def _milliseconds(seconds: float) -> float:
    return round(1000 * seconds, 1)
