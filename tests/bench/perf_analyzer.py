"""Measure the same load with Triton's perf_analyzer; its figures must agree with ours."""

from __future__ import annotations

import base64
import csv
import json
import struct
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.measured import Pass
from bench.triton import Observed, TritonSubject, page_options
from bench.workloads import Page, Workload

REQUESTS_A_CLIENT = 10
_US = 1e-6


class PerfAnalyzer:
    """perf_analyzer on our running server.

    Args:
        triton: the server.
        scratch: directory for its input and its report.
    """

    def __init__(self, triton: TritonSubject, scratch: Path) -> None:
        self._triton, self._scratch = triton, scratch
        self.tree = triton.tree
        self._inputs: dict[tuple[str, tuple[str, ...]], int] = {}

    def read(self, workload: Workload, pages: Sequence[Page], clients: int) -> Pass:
        """One pass over the pages; lines are not known."""
        report = self._scratch / "perf_analyzer.csv"
        data = self._input_data(workload, pages)
        # Many a client: it counts from the first request of an empty server to the last of an emptying one.
        requests = max(len(pages), REQUESTS_A_CLIENT * clients)
        with Observed(self._triton) as observed:
            self._run(workload, data, report, clients, requests)
        figures = _read(report)
        pages_per_s = figures["Inferences/Second"]
        return Pass(
            pages=requests,
            wall_s=requests / pages_per_s,
            cpu_s=sum(work.cpu_s for work in observed.models.values()),
            peak_mb=self.tree.peak_mb(),
            models=observed.models,
            details={f"p{percent}_s": figures[f"p{percent} latency"] * _US for percent in (50, 95, 99)},
        )

    def _input_data(self, workload: Workload, pages: Sequence[Page]) -> Path:
        names = tuple(page.name for page in pages)
        number = self._inputs.setdefault((workload.name, names), len(self._inputs))
        path = self._scratch / f"perf_analyzer_{number}.json"
        if not path.exists():
            options = {name: [value] for name, value in page_options(workload).items()}
            data = [{"file": _base64(page), **options} for page in pages]
            path.write_text(json.dumps({"data": data}), encoding="utf-8")
        return path

    def _run(self, workload: Workload, data: Path, report: Path, clients: int, requests: int) -> None:
        shapes = [part for name in ("file", *page_options(workload)) for part in ("--shape", f"{name}:1")]
        command = [sys.executable, "-m", "tritonocr", "perf-analyzer", "-m", "ocr", "-u", self._triton.url]
        command += ["-i", "grpc", "--input-data", str(data), *shapes, "-f", str(report)]
        command += ["--concurrency-range", str(clients), "--request-count", str(requests)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"perf_analyzer: {(done.stderr + done.stdout)[:800]}")


def _base64(page: Page) -> dict[str, Any]:
    file = page.path.read_bytes()
    # A string is preceded by its length, as in Triton's protocol.
    return {"b64": base64.b64encode(struct.pack("<I", len(file)) + file).decode()}


def _read(report: Path) -> dict[str, float]:
    with report.open(encoding="utf-8") as file:
        row = next(csv.DictReader(file))
    return {name: float(value) for name, value in row.items() if value}
