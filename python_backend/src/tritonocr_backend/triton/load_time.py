"""How long a model took to load, as a metric of the server: what `tritonocr models list --served` shows."""

from __future__ import annotations

import time
from typing import Any

import psutil
import triton_python_backend_utils as pb_utils

from tritonocr_backend.contracts import LOAD_TIME_METRIC


class LoadTime:
    """A gauge of one model instance, to be made at the end of `initialize` and kept as long as the model.

    It tells the time since the instance's process began, so that importing libraries counts.
    """

    def __init__(self, args: dict[str, str]) -> None:
        # Every instance is a process of its own and declares the family; Triton takes them for one.
        self._family: Any = pb_utils.MetricFamily(
            name=LOAD_TIME_METRIC,
            description="How long a model instance took to load, in seconds",
            kind=pb_utils.MetricFamily.GAUGE,
        )
        labels = {"model": args["model_name"], "instance": args["model_instance_name"]}
        self._gauge = self._family.Metric(labels=labels)
        self._gauge.set(time.time() - psutil.Process().create_time())
