"""Measurements as tables for the terminal and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.table import Table

from bench.accuracy import accuracy
from bench.figures import Spread
from bench.rounds import Measurements
from bench.subjects import Subject
from bench.targets import Verdict

PERCENTS = (50, 95, 99)


def summary(found: Measurements, subjects: list[Subject]) -> dict[str, Any]:
    """One workload's figures, by subject name."""
    rows = {subject.name: _row(found, subject) for subject in subjects}
    return {"reference": found.reference, "idle_cores": found.idle_cores, "subjects": rows}


def _row(found: Measurements, subject: Subject) -> dict[str, Any]:
    name = subject.name
    passes = found.passes[name]
    details = found.details(name)
    pages = sum(one.pages for one in passes)
    return {
        "label": subject.label,
        "clients": subject.clients,
        "pages_per_s": asdict(found.pages_per_s(name)),
        "reference_ratio": asdict(found.reference_ratio(name)),
        # perf_analyzer reports only percentiles
        "latency_s": {
            f"p{percent}": found.latency_s(name, percent) or details.get(f"p{percent}_s")
            for percent in PERCENTS
        },
        "accuracy": accuracy(found.workload.pages, found.lines(name)),
        "lines": sum(map(len, found.lines(name).values())),
        "cpu_s_a_page": sum(one.cpu_s for one in passes) / pages,
        "client_cpu_s_a_page": sum(one.client_cpu_s for one in passes) / pages,
        "peak_mb": max(one.peak_mb for one in passes),
        "details": details,
        "models": {model: asdict(work) for model, work in found.models(name).items()},
        "pages": pages,
        "wall_s": sum(one.wall_s for one in passes),
    }


def speed_table(workload: str, figures: dict[str, Any]) -> Table:
    """Speed, latency, accuracy and cost of every subject."""
    reference = figures["subjects"][figures["reference"]]["label"]
    table = Table(title=f"{workload}: medians (lowest to highest round)", caption=f"ratio: {reference} to it")
    for column in ("subject", "pages/s", "ratio", "p50", "p95", "p99", "Hmean", "1-NED", "exact", "CER"):
        table.add_column(column, justify="left" if column == "subject" else "right", no_wrap=True)
    for column in ("CPU s/page", "MB"):
        table.add_column(column, justify="right")
    for row in figures["subjects"].values():
        table.add_row(*_speed_cells(row))
    return table


def _speed_cells(row: dict[str, Any]) -> list[str]:
    accuracy_of = row["accuracy"]
    return [
        row["label"],
        _spread(row["pages_per_s"]),
        _spread(row["reference_ratio"]),
        *(f"{seconds:.2f}" if seconds is not None else "" for seconds in row["latency_s"].values()),
        *(f"{accuracy_of[key]:.3f}" if accuracy_of else "" for key in ("hmean", "1-NED", "exact", "CER")),
        f"{row['cpu_s_a_page']:.2f}",
        f"{row['peak_mb']:.0f}",
    ]


def _spread(values: dict[str, float]) -> str:
    found = Spread(**values)
    return f"{found.median:.2f} ({found.low:.2f}-{found.high:.2f})"


def stage_table(title: str, row: dict[str, Any]) -> Table:
    """Return the time of a page by model: Triton's statistics and the CPU time of the model's processes."""
    table = Table(title=f"{title}: ms a page by model, from Triton's statistics and its processes")
    for column in (
        "model",
        "CPU",
        "queue",
        "input",
        "infer",
        "output",
        "calls",
        "rows/exec",
        "requests/exec",
    ):
        table.add_column(column, justify="left" if column == "model" else "right")
    pages = row["pages"]
    for name, work in sorted(row["models"].items(), key=lambda item: -item[1]["cpu_s"]):
        times = [
            f"{1000 * work[key] / pages:.1f}"
            for key in ("cpu_s", "queue_s", "input_s", "infer_s", "output_s")
        ]
        runs = work["executions"]
        batch = [f"{work['rows'] / runs:.2f}", f"{work['requests'] / runs:.2f}"] if runs else ["", ""]
        table.add_row(name, *times, f"{work['requests'] / pages:.1f}", *batch)
    table.add_row("load generator", f"{1000 * row['client_cpu_s_a_page']:.1f}")
    table.add_row("all cores", f"{1000 * row['wall_s'] / pages:.1f} wall")
    return table


def growth_table(figures: dict[str, Any]) -> Table:
    """What pages of growing size took, against the straight line through them."""
    title = f"growth with {figures['unit']}: {_line(figures['time'], 's')}; {_line(figures['memory'], 'MB')}"
    table = Table(title=title)
    for column in (figures["unit"], "s", "off the line", "peak MB", "off the line"):
        table.add_column(column, justify="right")
    residuals = zip(figures["time"]["residuals"], figures["memory"]["residuals"], strict=True)
    rows = zip(figures["sizes"], figures["seconds"], figures["peak_mb"], residuals, strict=True)
    for size, seconds, peak_mb, (time_off, memory_off) in rows:
        table.add_row(
            f"{size:g}", f"{seconds:.2f}", f"{time_off:+.1%}", f"{peak_mb:.0f}", f"{memory_off:+.1%}"
        )
    return table


def _line(fitted: dict[str, Any], unit: str) -> str:
    return (
        f"{fitted['intercept']:.3g} {unit} + {fitted['slope']:.3g} {unit} each (R² {fitted['r_squared']:.3f})"
    )


def target_table(verdicts: Sequence[Verdict]) -> Table:
    """Which targets are reached."""
    table = Table(title="targets")
    for column in ("target", "limit", "measured", ""):
        table.add_column(column, justify="left" if column == "target" else "right")
    words = {True: "[green]holds[/]", False: "[red]missed[/]", None: "not measured"}
    for one in verdicts:
        measured = "" if one.measured is None else f"{one.measured:.3g}"
        table.add_row(one.what, f"{'≥' if one.at_least else '≤'} {one.limit:g}", measured, words[one.holds])
    return table
