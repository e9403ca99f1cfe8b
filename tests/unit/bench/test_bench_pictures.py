"""The pictures of the benchmark contain every subject."""

from pathlib import Path
from typing import Any

from bench import pictures
from bench.subjects import FAMILIES, subjects


def row(clients: int) -> dict[str, Any]:
    return {
        "label": f"TritonOCR, {clients} clients",
        "clients": clients,
        "pages": 20,
        "pages_per_s": {"median": 2.0, "low": 1.0, "high": 3.0},
        "latency_s": {"p50": 0.5, "p95": 0.7, "p99": 0.9},
        "models": {"ocr": {"cpu_s": 1.0}},
    }


def test_all_subjects_are_drawn(tmp_path: Path) -> None:
    rows = {subject.name: row(subject.clients) for subject in subjects(list(FAMILIES), {})}
    written = pictures.write(rows, tmp_path)
    assert [path.stem for path in written] == ["bench_throughput", "bench_latency", "bench_stages"]
    assert all(path.stat().st_size for path in written)


def test_models_that_no_other_beats_are_found() -> None:
    points = [(1.0, 0.87), (1.8, 0.86), (0.8, 0.85), (0.6, 0.92), (0.6, 0.9)]
    assert pictures.pareto_front(points) == [(0.6, 0.92), (1.0, 0.87), (1.8, 0.86)]


def test_models_are_drawn(tmp_path: Path) -> None:
    pairs = {"a + b": {"time_ratio": 1.0, "exact": 0.9}, "c + d": {"time_ratio": 0.5, "exact": 0.8}}
    path = pictures.write_models(pairs, tmp_path / "images" / "models.svg")
    assert path.read_text().count("a + b")
