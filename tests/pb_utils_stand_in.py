"""A replacement of `triton_python_backend_utils`, which exists completely only in Triton's processes."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Collection, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

TRITONSERVER_RESPONSE_COMPLETE_FINAL = 1
TRITONSERVER_MEMORY_CPU, TRITONSERVER_MEMORY_GPU = 0, 2


class Tensor:
    def __init__(self, name: str, array: NDArray[Any]) -> None:
        self._name, self._array = name, array

    @classmethod
    def from_dlpack(cls, name: str, capsule: object) -> Tensor:
        """Take the memory that a DLPack capsule describes."""

        class Exporter:
            def __dlpack__(self, **_: object) -> object:
                return capsule

            def __dlpack_device__(self) -> tuple[int, int]:
                return 1, 0  # the CPU

        return cls(name, np.from_dlpack(Exporter()))

    def name(self) -> str:
        return self._name

    def as_numpy(self) -> NDArray[Any]:
        return self._array


class TritonError:
    INTERNAL, NOT_FOUND, INVALID_ARG, UNAVAILABLE, CANCELLED = 1, 2, 3, 4, 5

    def __init__(self, message: str, code: int = INTERNAL) -> None:
        self._message, self._code = message, code

    def message(self) -> str:
        return self._message

    def code(self) -> int:
        return self._code


class InferenceResponse:
    def __init__(self, output_tensors: Sequence[Tensor] = (), error: TritonError | None = None) -> None:
        self._tensors, self._error = list(output_tensors), error

    def output_tensors(self) -> list[Tensor]:
        return self._tensors

    def has_error(self) -> bool:
        return self._error is not None

    def error(self) -> TritonError | None:
        return self._error


class ResponseSender:
    """Remembers what was sent."""

    def __init__(self) -> None:
        self.sent: list[InferenceResponse] = []
        self.final = False

    def send(self, response: InferenceResponse | None = None, flags: int = 0) -> None:
        assert not self.final, "nothing may follow the final flag"
        if response is not None:
            self.sent.append(response)
        self.final = flags == TRITONSERVER_RESPONSE_COMPLETE_FINAL


class PreferredMemory:
    def __init__(self, memory_type: int, device_id: int) -> None:
        self.memory_type, self.device_id = memory_type, device_id


class InferenceRequest:
    models: Callable[[InferenceRequest], InferenceResponse]
    """Answers requests that our code makes itself: set by the test."""

    def __init__(
        self,
        inputs: Sequence[Tensor],
        requested_output_names: Collection[str],
        model_name: str = "",
        request_id: str = "",
        trace: object = None,
        preferred_memory: PreferredMemory | None = None,
    ) -> None:
        self.model_name = model_name
        self.preferred_memory = preferred_memory
        self._request_id, self._trace = request_id, trace
        self.sender = ResponseSender()
        self.cancelled = False
        self._inputs, self._requested = list(inputs), list(requested_output_names)

    def inputs(self) -> list[Tensor]:
        return self._inputs

    def requested_output_names(self) -> list[str]:
        return self._requested

    def request_id(self) -> str:
        return self._request_id

    def trace(self) -> object:
        return self._trace

    def is_cancelled(self) -> bool:
        return self.cancelled

    def get_response_sender(self) -> ResponseSender:
        return self.sender

    def exec(self) -> InferenceResponse:
        return type(self).models(self)


LOADED: set[str] = set()
"""Models that are ready; a test may start with any."""


def is_model_ready(model_name: str) -> bool:
    return model_name in LOADED


def load_model(model_name: str) -> None:
    LOADED.add(model_name)


class MetricFamily:
    """Remembers its metrics' values: of a histogram, what was observed."""

    COUNTER, GAUGE, HISTOGRAM = 0, 1, 2
    values: ClassVar[dict[tuple[str, ...], float]] = {}
    """By the metric's name and its labels' values."""

    def __init__(self, name: str, description: str, kind: int) -> None:
        self.name, self.kind = name, kind

    def Metric(self, labels: dict[str, str], buckets: Sequence[float] = ()) -> Metric:  # noqa: N802
        assert bool(buckets) == (self.kind == self.HISTOGRAM)
        return Metric(self, labels)


class Metric:
    alive: ClassVar[weakref.WeakSet[Metric]] = weakref.WeakSet()

    def __init__(self, family: MetricFamily, labels: dict[str, str]) -> None:
        self.alive.add(self)
        self._kind, self._key = family.kind, (family.name, *labels.values())
        family.values.setdefault(self._key, 0.0)

    def increment(self, by: float) -> None:
        assert self._kind != MetricFamily.HISTOGRAM
        assert by >= 0 or self._kind == MetricFamily.GAUGE
        MetricFamily.values[self._key] += by

    def set(self, value: float) -> None:
        assert self._kind == MetricFamily.GAUGE
        MetricFamily.values[self._key] = value

    def observe(self, value: float) -> None:
        assert self._kind == MetricFamily.HISTOGRAM
        MetricFamily.values[self._key] += value


def install() -> None:
    """Let `import triton_python_backend_utils` find this module."""
    sys.modules.setdefault("triton_python_backend_utils", sys.modules[__name__])
