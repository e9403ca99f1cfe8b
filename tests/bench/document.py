"""The results as Markdown, for docs/performance.md."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_SPEED = (
    "subject",
    "pages/s",
    "speed-up of TritonOCR over this row",
    "median s",
    "p95 s",
    "Hmean",
    "1-NED",
    "exact",
    "CER",
    "MB",
)
_STAGES = (
    "model",
    "CPU ms",
    "waiting ms",
    "in the model ms",
    "calls per page",
    "rows per batch",
    "requests per batch",
)
_ACCURACY = ("hmean", "1-NED", "exact", "CER")


def markdown(results: Mapping[str, Any]) -> str:
    """Every workload's table, the receipts' stages and the targets."""
    parts = [_machine(results["machine"])]
    for name, workload in results.get("workloads", {}).items():
        rows = workload["subjects"].values()
        parts.append(f"### {name}\n\n{_table(_SPEED, map(_speed_row, rows))}")
        stages = workload["subjects"][workload["reference"]]
        if stages["models"]:
            parts.append(f"Time per page, {stages['label']}:\n\n{_table(_STAGES, _stage_rows(stages))}")
    parts.append(_table(("target", "limit", "measured", ""), map(_target_row, results.get("targets", ()))))
    return "\n\n".join(parts) + "\n"


def _machine(machine: Mapping[str, Any]) -> str:
    flags = ", ".join(machine["flags"])
    return f"{machine['cpu']}, {machine['cores']} cores ({flags}); GPU: {machine['gpu']}."


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    alignment = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, alignment, *rows))


def _speed_row(row: Mapping[str, Any]) -> list[str]:
    speed, ratio, accuracy = row["pages_per_s"], row["reference_ratio"], row["accuracy"]
    return [
        row["label"],
        f"{speed['median']:.2f} ({speed['low']:.2f}-{speed['high']:.2f})",
        f"{ratio['median']:.2f} ({ratio['low']:.2f}-{ratio['high']:.2f})",
        *(_seconds(row["latency_s"][key]) for key in ("p50", "p95")),
        *(f"{accuracy[key]:.3f}" if accuracy else "" for key in _ACCURACY),
        f"{row['peak_mb']:.0f}",
    ]


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _stage_rows(row: Mapping[str, Any]) -> Iterable[list[str]]:
    pages = row["pages"]
    for name, work in sorted(row["models"].items(), key=lambda item: -item[1]["cpu_s"]):
        runs = work["executions"]
        yield [
            f"`{name}`",
            *(f"{1000 * work[key] / pages:.1f}" for key in ("cpu_s", "queue_s", "infer_s")),
            f"{work['requests'] / pages:.1f}",
            *(f"{work[key] / runs:.2f}" if runs else "" for key in ("rows", "requests")),
        ]


def _target_row(target: Mapping[str, Any]) -> list[str]:
    words = {True: "holds", False: "**missed**", None: "not measured"}
    measured = "" if target["measured"] is None else f"{target['measured']:.3g}"
    return [
        target["what"],
        f"{'at least' if target['at_least'] else 'at most'} {target['limit']:g}",
        measured,
        words[target["holds"]],
    ]
