"""Draw the results: throughput and latency against clients, and the time of a page by model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")  # needs no display
matplotlib.rcParams["svg.hashsalt"] = "bench"  # the same results give the same file

from matplotlib import pyplot  # noqa: E402  # after the choice of backend

OURS, OTHERS = "#0b7a75", "#b8bcc2"
_MAX_MODELS = 6

Subjects = Mapping[str, Mapping[str, Any]]


def write(subjects: Subjects, directory: Path) -> list[Path]:
    """Write the pictures of one workload's subjects.

    Args:
        subjects: rows of report.summary.
        directory: of the SVG files.

    Returns:
        Their paths.
    """
    directory.mkdir(parents=True, exist_ok=True)
    drawn = {"throughput": _throughput, "latency": _latency, "stages": _stages}
    return [_save(draw(subjects), directory / f"bench_{name}.svg") for name, draw in drawn.items()]


def write_models(pairs: Mapping[str, Mapping[str, float]], path: Path) -> Path:
    """Write a picture of the speed and the exact lines of model pairs, and of those that no other pair beats.

    Args:
        pairs: rows of models.measured.
        path: the SVG file.

    Returns:
        `path`.
    """
    points = {label: (1 / row["time_ratio"], row["exact"]) for label, row in pairs.items()}
    best = pareto_front(points.values())
    figure, axes = pyplot.subplots(figsize=(8, 4))
    axes.plot(*zip(*best, strict=True), color=OURS, linewidth=1)
    for label, (speed, exact) in points.items():
        axes.plot(speed, exact, "o", color=OURS if (speed, exact) in best else OTHERS)
        axes.annotate(label, (speed, exact), xytext=(5, 5), textcoords="offset points", fontsize="small")
    axes.set(
        xlabel="speed relative to the default", ylabel="share of exact lines", title="Models on receipts"
    )
    axes.margins(x=0.35, y=0.15)
    path.parent.mkdir(parents=True, exist_ok=True)
    return _save(figure, path)


def pareto_front(points: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the points to which no other is at least equal in both numbers, ascending by the first."""
    distinct = set(points)
    beaten = {(x, y) for x, y in distinct for a, b in distinct if (a, b) != (x, y) and a >= x and b >= y}
    return sorted(distinct - beaten)


def _save(figure: Any, path: Path) -> Path:
    figure.savefig(path, bbox_inches="tight", metadata={"Date": None})
    pyplot.close(figure)
    return path


def _throughput(subjects: Subjects) -> Any:
    figure, axes = pyplot.subplots(figsize=(7, 4))
    colours = iter(pyplot.get_cmap("tab20").colors[1:])
    for family, rows in _by_family(subjects).items():
        colour = OURS if family == "ours" else next(colours)
        _draw_speeds(axes, rows, colour, 2.5 if family == "ours" else 1)
    ticks = sorted({row["clients"] for row in subjects.values()})
    axes.set_xscale("log", base=2)
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.set(xlabel="clients", ylabel="pages/s", ylim=(0, None), title="Throughput")
    axes.legend(fontsize="small", frameon=False, bbox_to_anchor=(1, 1))
    return figure


def _draw_speeds(axes: Any, rows: list[Mapping[str, Any]], colour: Any, width: float) -> None:
    """A line over the numbers of clients, with its spread; horizontal for subjects without clients."""
    speeds = [row["pages_per_s"] for row in rows]
    clients, medians = [row["clients"] for row in rows], [speed["median"] for speed in speeds]
    label = rows[0]["label"].split(f", {clients[0]} client")[0]
    if clients == [1]:
        axes.axhline(medians[0], linestyle="--", linewidth=width, color=colour, label=label)
        return
    below = [speed["median"] - speed["low"] for speed in speeds]
    above = [speed["high"] - speed["median"] for speed in speeds]
    style = {"marker": "o", "capsize": 3, "linewidth": width, "color": colour}
    axes.errorbar(clients, medians, [below, above], label=label, **style)


def _latency(subjects: Subjects) -> Any:
    known = [row for row in subjects.values() if row["latency_s"]["p50"] is not None and row["clients"] <= 4]
    figure, axes = pyplot.subplots(figsize=(7, 0.45 * len(known) + 1))
    for y, row in enumerate(reversed(known)):
        p50, p95, p99 = (row["latency_s"][key] for key in ("p50", "p95", "p99"))
        colour = OURS if row["label"].startswith("TritonOCR") else OTHERS
        axes.barh(y, p50, color=colour)
        axes.plot([p50, p99], [y, y], color="black", linewidth=1)
        axes.plot([p95], [y], marker="|", color="black")
    axes.set_yticks(range(len(known)), [row["label"] for row in reversed(known)])
    axes.set(xlabel="s a page: median (bar), p95 (tick), p99 (end of line)", title="Latency")
    return figure


def _stages(subjects: Subjects) -> Any:
    """Draw the CPU time per page by model."""
    ours = [row for name, row in subjects.items() if name.startswith("ours@")]
    figure, axes = pyplot.subplots(figsize=(8, 0.5 * len(ours) + 1))
    left = [0.0] * len(ours)
    for model in _largest_models(ours):
        times = [1000 * _cpu_s(row, model) / row["pages"] for row in ours]
        axes.barh(range(len(ours)), times, left=left, label=model)
        left = [start + time for start, time in zip(left, times, strict=True)]
    axes.set_yticks(range(len(ours)), [f"{row['clients']} clients" for row in ours])
    axes.invert_yaxis()
    axes.set(xlabel="ms of processor time a page", title="Where a page's time goes")
    axes.legend(fontsize="small", frameon=False, bbox_to_anchor=(1, 1))
    return figure


def _largest_models(rows: list[Mapping[str, Any]]) -> list[str]:
    totals: dict[str, float] = {}
    for row in rows:
        for model in row["models"]:
            totals[model] = totals.get(model, 0) + _cpu_s(row, model)
    return sorted(totals, key=lambda model: -totals[model])[:_MAX_MODELS]


def _cpu_s(row: Mapping[str, Any], model: str) -> float:
    return float(row["models"].get(model, {}).get("cpu_s", 0))


def _by_family(subjects: Subjects) -> dict[str, list[Mapping[str, Any]]]:
    families: dict[str, list[Mapping[str, Any]]] = {}
    for name, row in subjects.items():
        families.setdefault(name.partition("@")[0], []).append(row)
    return families
