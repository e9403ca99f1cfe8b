"""Measure the inputs of the scaling model: demand per stage, throughput per clients, the gateway's share."""

from __future__ import annotations

import statistics
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench import machine
from bench.figures import percentile
from bench.measured import Pass
from bench.subjects import Bench
from bench.workloads import DEFAULT_MODELS, Page, Workload, receipts
from tritonocr_backend.repository.serving_settings import ServingSettings

CLIENTS = (1, 2, 4, 8, 16)
GATEWAY_CLIENTS = 4
# A round has many more pages than clients, or else it measures how one page ends.
ROUNDS = {1: 1, 2: 1, 4: 2, 8: 2, 16: 3}


def measure() -> dict[str, Any]:
    """Read the receipts with 1 to 16 clients, and once through the gateway; takes two minutes."""
    workload = Workload("receipts", receipts())
    with (
        tempfile.TemporaryDirectory() as scratch,
        Bench(DEFAULT_MODELS, ServingSettings(), Path(scratch), machine.cores()) as bench,
    ):
        server = bench.triton
        server.read(workload, workload.pages, max(CLIENTS))  # to warm up: shapes are prepared at first sight
        points = {
            clients: server.read(workload, [*workload.pages] * ROUNDS[clients], clients)
            for clients in CLIENTS
        }
        gateway = bench.reader("gateway")
        gateway.read(workload, workload.pages[:GATEWAY_CLIENTS], GATEWAY_CLIENTS)
        through_gateway = gateway.read(workload, workload.pages, GATEWAY_CLIENTS)
    return {
        "machine": machine.description(),
        "lines_per_page": statistics.mean(len(lines) for lines in points[1].lines.values()),
        "bytes_in": statistics.mean(page.path.stat().st_size for page in workload.pages),
        "points": {str(clients): _figures(point) for clients, point in points.items()},
        "gateway_s": through_gateway.cpu_s / through_gateway.pages,
        "bytes_out": _answer_bytes(points[1], workload.pages),
    }


def _figures(point: Pass) -> dict[str, Any]:
    """Values are per page unless stated otherwise."""
    return {
        "pages": point.pages,
        "pages_per_s": point.pages / point.wall_s,
        "mean_s": statistics.mean(point.latencies_s),
        "p95_s": percentile(point.latencies_s, 95),
        "cpu_s": point.cpu_s / point.pages,
        "client_cpu_s": point.client_cpu_s / point.pages,
        "peak_mb": point.peak_mb,
        "models": {
            name: {key: value / point.pages for key, value in asdict(work).items()}
            for name, work in point.models.items()
        },
    }


def _answer_bytes(point: Pass, pages: list[Page] | Any) -> float:
    """Bytes of a line (text, corners, score, box) and of the fixed part of a page."""
    per_page = [sum(len(text.encode()) + 4 + 3 * 32 + 8 for _, text in point.lines[p.name]) for p in pages]
    return statistics.mean(per_page)
