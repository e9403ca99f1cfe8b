"""The measurements of a subject: passes over the pages of a workload."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Polygon = Sequence[Sequence[float]]
ReadLine = tuple[Polygon, str]


@dataclass(frozen=True)
class ModelWork:
    """What one Triton model did during a pass, from Triton's statistics and the times of its process.

    Attributes:
        requests: how many it answered.
        executions: how many batches it ran.
        rows: how many batch rows those held: lines of a recognition network.
        queue_s: time that requests waited, all of them together; so for the others.
        input_s: time for taking inputs up.
        infer_s: time in the model.
        output_s: time for handing outputs over.
        cpu_s: processor time of the model's processes.
    """

    requests: int = 0
    executions: int = 0
    rows: int = 0
    queue_s: float = 0
    input_s: float = 0
    infer_s: float = 0
    output_s: float = 0
    cpu_s: float = 0

    def __add__(self, other: ModelWork) -> ModelWork:
        return ModelWork(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))

    def __sub__(self, other: ModelWork) -> ModelWork:
        return ModelWork(*(getattr(self, name) - getattr(other, name) for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class Pass:
    """One subject reading a workload's pages once.

    Attributes:
        pages: how many pages were read.
        wall_s: from the first request to the last answer.
        latencies_s: by request.
        cpu_s: processor time of the subject's processes.
        client_cpu_s: processor time of the load generator, where it is a process beside the subject.
        peak_mb: largest resident memory of the subject's processes together.
        lines: by page name, what was read; empty where the subject does not say.
        models: by model, what Triton says of it; Triton subjects only.
        details: figures of one subject alone, by name.
    """

    pages: int
    wall_s: float
    latencies_s: tuple[float, ...] = ()
    cpu_s: float = 0
    client_cpu_s: float = 0
    peak_mb: float = 0
    lines: Mapping[str, list[ReadLine]] = field(default_factory=dict)
    models: Mapping[str, ModelWork] = field(default_factory=dict)
    details: Mapping[str, float] = field(default_factory=dict)

    @property
    def pages_per_s(self) -> float:
        """Throughput."""
        return self.pages / self.wall_s
