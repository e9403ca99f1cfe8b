"""Measure the memory and the load times of the models of a running tritonserver."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

import httpx
import psutil

from tritonocr_backend.core.contracts import LOAD_TIME_METRIC
from tritonocr_backend.server.local_server import find_local_server
from tritonocr_backend.server.model_control import DEFAULT_URL, served_models
from tritonocr_backend.server.processes import model_of


@dataclass(frozen=True)
class ModelCost:
    """The memory and the load time of one model.

    Attributes:
        name: name of the model.
        memory_bytes: memory of the model's processes in bytes, as proportional set size (PSS). None if the
            server runs on another machine.
        load_time_s: load time of the slowest instance in seconds; None if the model does not report it.
    """

    name: str
    memory_bytes: int | None
    load_time_s: float | None


@dataclass(frozen=True)
class Costs:
    """The memory and the load times of a running server.

    Attributes:
        url: gRPC endpoint of the server, host:port.
        models: the models that are ready.
        server_memory_bytes: memory of the tritonserver process in bytes (PSS); None if the server runs on
            another machine.
    """

    url: str
    models: tuple[ModelCost, ...]
    server_memory_bytes: int | None

    @property
    def memory_bytes(self) -> int | None:
        """Return the total memory in bytes; None if the server runs on another machine."""
        parts = [self.server_memory_bytes, *(model.memory_bytes for model in self.models)]
        return None if self.server_memory_bytes is None else sum(part or 0 for part in parts)

    def as_json(self) -> dict[str, Any]:
        """Return the costs as JSON values, with the total in `memory_bytes`."""
        return {**asdict(self), "memory_bytes": self.memory_bytes}


def measure(url: str = DEFAULT_URL) -> Costs:
    """Measure the memory and the load time of each model that is ready.

    Args:
        url: gRPC endpoint of the server, host:port.

    Raises:
        ServerError: no server answers at `url`.
    """
    names = served_models(url)
    server = find_local_server(url)
    memory_bytes = _memory_bytes(server.process) if server else {}
    load_times_s = _load_times_s(server.metrics_url) if server else {}
    models = (ModelCost(name, memory_bytes.get(name), load_times_s.get(name)) for name in names)
    return Costs(url, tuple(models), server.process.memory_full_info().pss if server else None)


def _memory_bytes(server: psutil.Process) -> dict[str, int]:
    """Return the memory in bytes of each Python model's processes."""
    memory_bytes: dict[str, int] = {}
    for process in server.children(recursive=True):
        with suppress(psutil.Error):  # the process has ended since
            if name := model_of(process):
                memory_bytes[name] = memory_bytes.get(name, 0) + process.memory_full_info().pss
    return memory_bytes


def _load_times_s(metrics_url: str) -> dict[str, float]:
    """Return the load times in seconds from Triton's metrics; empty if the metrics cannot be read."""
    try:
        metrics = httpx.get(metrics_url, timeout=5).text
    except httpx.HTTPError:
        return {}
    load_times_s: dict[str, float] = {}
    for name, value in re.findall(
        rf'^{LOAD_TIME_METRIC}{{.*?model="([^"]+)".*?}} (\S+)$', metrics, re.MULTILINE
    ):
        load_times_s[name] = max(load_times_s.get(name, 0.0), float(value))
    return load_times_s
