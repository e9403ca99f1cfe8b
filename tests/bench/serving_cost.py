"""What serving costs: a receipt through Triton at one client, against the same stages in one process.

Run: make bench-serving-cost. Both read the same receipts by turns, so that a noisy machine disturbs both.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from in_process import InProcessCaller
from tritonocr import OCRClient
from tritonocr_backend.pipeline import OcrPipeline
from tritonocr_backend.repository_view import RepositoryView
from tritonocr_backend.requests import parse_request
from tritonocr_backend.server import EmbeddedServer, ServerOptions
from tritonocr_backend.serving import prepare_repository
from tritonocr_backend.zoo import pipeline_config

RECEIPTS = Path(__file__).parents[3] / "shared" / "corpus" / "receipts"
OFF = ("use_doc_orientation_classify", "use_doc_unwarping", "use_textline_orientation")
ROUNDS = 3
LIMIT = 1.15


def main() -> int:
    """Measure and print; 1 where serving costs more than it may."""
    files = [path.read_bytes() for path in sorted(RECEIPTS.glob("*.jpg"))]
    with tempfile.TemporaryDirectory() as scratch:
        config = pipeline_config.default()
        repository = prepare_repository(Path(scratch) / "repository", config)
        options = ServerOptions(log_file=Path(scratch) / "server.log")
        with EmbeddedServer(repository, options) as server, OCRClient(server.grpc_url) as client:
            subjects: dict[str, Callable[[bytes], object]] = {
                "through Triton": lambda file: client.ocr(file, **dict.fromkeys(OFF, False)),
                "in one process": in_process_reader(repository, config),
            }
            seconds = measured(subjects, files)
    return report(seconds)


def in_process_reader(repository: Path, config: pipeline_config.PipelineConfig) -> Callable[[bytes], object]:
    """A function that reads a file as the `ocr` model does, without a server."""
    pipeline = OcrPipeline(InProcessCaller(repository))
    view = RepositoryView(repository)
    switches = {name: np.array([False]) for name in OFF}

    def read(file: bytes) -> object:
        inputs = {"file": np.array([file], dtype=object), **switches}
        asked = parse_request(inputs, {"rec_texts"}, config.settings(), view)
        return asyncio.run(pipeline.read(asked.document.read_page(0), asked.page_settings))

    return read


def measured(subjects: dict[str, Callable[[bytes], object]], files: list[bytes]) -> dict[str, list[float]]:
    """Seconds a file, by subject; the first round warms up and is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in subjects}
    for number in range(ROUNDS + 1):
        for file in files:
            for name, read in subjects.items():
                started_s = time.perf_counter()
                read(file)
                if number:
                    seconds[name].append(time.perf_counter() - started_s)
    return seconds


def report(seconds: dict[str, list[float]]) -> int:
    """Print the table and the ratio of the totals."""
    table = Table("", "median s a receipt", "total s")
    for name, values in seconds.items():
        table.add_row(name, f"{statistics.median(values):.3f}", f"{sum(values):.1f}")
    served, alone = (sum(values) for values in seconds.values())
    Console().print(table, f"ratio {served / alone:.3f}, at most {LIMIT}")
    return int(served / alone > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
