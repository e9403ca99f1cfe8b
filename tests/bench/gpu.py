"""Measure the utilisation of the GPU, if there is one."""

from __future__ import annotations

import shutil
import statistics
import subprocess

_QUERY = "utilization.gpu,memory.used"
_PERIOD_MS = 200


class GpuObserved:
    """nvidia-smi's samples between entering and leaving; a context manager.

    Attributes:
        figures: mean share of time that a kernel ran, and the largest memory used; empty without a GPU.
    """

    def __init__(self) -> None:
        self.figures: dict[str, float] = {}
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> GpuObserved:
        if shutil.which("nvidia-smi"):
            command = ["nvidia-smi", f"--query-gpu={_QUERY}", "--format=csv,noheader,nounits"]
            self._process = subprocess.Popen(
                [*command, f"--loop-ms={_PERIOD_MS}"], stdout=subprocess.PIPE, text=True
            )
        return self

    def __exit__(self, *error: object) -> None:
        if self._process is not None:
            self._process.terminate()
            self.figures = figures(self._process.communicate()[0])


def figures(output: str) -> dict[str, float]:
    """What nvidia-smi's lines "utilisation in %, memory in MiB" amount to.

    Args:
        output: its standard output; its last line may be cut.
    """
    samples = [line.split(",") for line in output.splitlines() if line.count(",") == 1]
    if not samples:
        return {}
    busy = statistics.mean(float(percent) for percent, _ in samples) / 100
    return {"gpu_busy": busy, "gpu_mb": max(float(memory) for _, memory in samples)}
