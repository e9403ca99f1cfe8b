"""Prometheus metrics of the models. Triton serves them together with its own metrics.

Each model instance is a process and declares the same metric families. Triton merges families of one name and
adds up the counters of the instances.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Literal

import psutil
import triton_python_backend_utils as pb_utils

from tritonocr_backend.core.contracts import LOAD_TIME_METRIC
from tritonocr_common.memory import MemoryTrimmer

Kind = Literal["COUNTER", "GAUGE", "HISTOGRAM"]

MEMORY_EVERY_S = 10.0


class InstanceMetrics:
    """The metrics of each instance of each model. Create the object at the end of `initialize` and keep it.

    Delete the object in `finalize`, and every other metric too: the destructor of a metric sends a message to
    tritonserver, and the process crashes if that happens after Triton closed the shared memory between them.

    `tritonocr_load_time_seconds` is the time since the process of the instance started, which includes the
    import of libraries. `tritonocr_instance_memory_bytes` excludes shared memory, such as libraries.
    """

    def __init__(self, args: Mapping[str, str]) -> None:
        self._process = psutil.Process()
        self._families = families = Families(instance_labels(args))
        load_time = families.add("GAUGE", LOAD_TIME_METRIC, "Load time of a model instance in seconds")
        memory = families.add(
            "GAUGE", "tritonocr_instance_memory_bytes", "Private memory of a model instance in bytes"
        )
        self._load_time, self._memory = load_time(), memory()
        self._load_time.set(time.time() - self._process.create_time())
        self._set_memory()
        self._trimmer = MemoryTrimmer()

    def executed(self) -> None:
        """Return freed memory, and update the memory metric at most every `MEMORY_EVERY_S` seconds.

        Call this after each execution.
        """
        self._trimmer.trim()
        if time.monotonic() - self._memory_set_s > MEMORY_EVERY_S:
            self._set_memory()

    def _set_memory(self) -> None:
        used = self._process.memory_info()
        self._memory.set(used.rss - used.shared)
        self._memory_set_s = time.monotonic()


class Families:
    """Metric families, which exist as long as this object. Each metric has the given labels."""

    def __init__(self, labels: Mapping[str, str]) -> None:
        self._labels = labels
        self._families: list[Any] = []

    def add(self, kind: Kind, name: str, description: str) -> Callable[..., Any]:
        """Declare a family, and return a function that creates a metric with additional labels."""
        kinds = pb_utils.MetricFamily
        family = kinds(name=name, description=description, kind=getattr(kinds, kind))
        self._families.append(family)

        def metric(buckets: tuple[float, ...] | None = None, **labels: str) -> Any:
            options = {"buckets": list(buckets)} if buckets else {}
            return family.Metric(labels={**self._labels, **labels}, **options)

        return metric


def instance_labels(args: Mapping[str, str]) -> dict[str, str]:
    """Return the labels of an instance from the arguments of `initialize`."""
    return {"model": args["model_name"], "instance": args["model_instance_name"]}
