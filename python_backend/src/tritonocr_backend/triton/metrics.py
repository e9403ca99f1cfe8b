"""The models' own Prometheus metrics, which Triton serves beside its own.

Every instance of a model is a process of its own and declares the same families. Triton takes those of one
name for one, and adds up what the instances count.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Literal

import psutil
import triton_python_backend_utils as pb_utils

from tritonocr_backend.core.contracts import LOAD_TIME_METRIC

Kind = Literal["COUNTER", "GAUGE", "HISTOGRAM"]

MEMORY_EVERY_S = 10.0


class InstanceMetrics:
    """What each instance of any model tells; to be made at the end of `initialize` and kept as long as it.

    `tritonocr_load_time_seconds` is the time since the instance's process began, so that importing libraries
    counts. `tritonocr_instance_memory_bytes` leaves out what processes share, such as libraries.
    """

    def __init__(self, args: Mapping[str, str]) -> None:
        self._process = psutil.Process()
        self._families = families = Families(instance_labels(args))
        load_time = families.add(
            "GAUGE", LOAD_TIME_METRIC, "How long a model instance took to load, in seconds"
        )
        memory = families.add(
            "GAUGE", "tritonocr_instance_memory_bytes", "A model instance's own memory in use"
        )
        self._load_time, self._memory = load_time(), memory()
        self._load_time.set(time.time() - self._process.create_time())
        self._set_memory()

    def executed(self) -> None:
        """Tell the memory again, now and then: it changes by executing, and not otherwise."""
        if time.monotonic() - self._memory_set_s > MEMORY_EVERY_S:
            self._set_memory()

    def _set_memory(self) -> None:
        used = self._process.memory_info()
        self._memory.set(used.rss - used.shared)
        self._memory_set_s = time.monotonic()


class Families:
    """Families of metrics, which live as long as this; `labels` are those of every metric."""

    def __init__(self, labels: Mapping[str, str]) -> None:
        self._labels = labels
        self._families: list[Any] = []

    def add(self, kind: Kind, name: str, description: str) -> Callable[..., Any]:
        """Declare a family; what comes back makes a metric of it, given more labels."""
        kinds = pb_utils.MetricFamily
        family = kinds(name=name, description=description, kind=getattr(kinds, kind))
        self._families.append(family)

        def metric(buckets: tuple[float, ...] | None = None, **labels: str) -> Any:
            options = {"buckets": list(buckets)} if buckets else {}
            return family.Metric(labels={**self._labels, **labels}, **options)

        return metric


def instance_labels(args: Mapping[str, str]) -> dict[str, str]:
    """Labels that tell one instance from the others, of what Triton hands to `initialize`."""
    return {"model": args["model_name"], "instance": args["model_instance_name"]}
