"""The benchmark's command line."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from datetime import datetime, timezone
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from bench import machine, report
from bench.rounds import measure
from bench.subjects import FAMILIES, Bench, subjects
from bench.workloads import WORKLOADS, Workload
from tritonocr_backend.zoo.repository import ServingSettings

MIN_WIDTH = 160  # of tables, also where the output is no terminal
console = Console()
console.width = max(console.width, MIN_WIDTH)


def main(
    workload: Annotated[
        list[str] | None, typer.Option(help=f"Of {', '.join(WORKLOADS)}; repeatable.", show_default="all")
    ] = None,
    subject: Annotated[
        list[str] | None, typer.Option(help=f"Of {', '.join(FAMILIES)}; repeatable.", show_default="all")
    ] = None,
    clients: Annotated[
        list[int] | None,
        typer.Option(help="Requests in flight, for ours; repeatable.", show_default="1 to 32"),
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="How often each subject reads.")] = 3,
    device: Annotated[str, typer.Option(help="Where our networks run: cpu, gpu:0.")] = "cpu",
    output: Annotated[Path, typer.Option(help="The JSON file.")] = Path("output/bench.json"),
) -> None:
    """Measure TritonOCR, its peers and the networks alone by turns; print tables, write JSON.

    Example: python -m bench --workload receipts --subject ours --subject floor --clients 4
    """
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        chosen = [
            _narrowed(WORKLOADS[name](Path(scratch)), subject, clients) for name in workload or WORKLOADS
        ]
        results: dict[str, Any] = {
            "measured": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "machine": machine.description(),
            "workloads": {},
        }
        for models, group in groupby(chosen, key=lambda one: one.models):
            with Bench(models, ServingSettings(device=device), Path(scratch), machine.cores()) as bench:
                for one in group:
                    results["workloads"][one.name] = _measure(bench, one, rounds)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    console.print(f"written to {output}")


def _narrowed(workload: Workload, families: list[str] | None, clients: list[int] | None) -> Workload:
    """The workload with the families and clients that were asked for."""
    own = workload.subjects or tuple(FAMILIES)
    kept = tuple(families) if families else own
    clients_of = {**workload.clients, **({"ours": tuple(clients)} if clients else {})}
    return replace(workload, subjects=kept, clients=clients_of)


def _measure(bench: Bench, workload: Workload, rounds: int) -> dict[str, Any]:
    asked = subjects(workload.subjects, workload.clients)
    readers = {family: bench.reader(family) for family in workload.subjects}
    found = measure(workload, asked, readers, rounds, lambda text: console.print(text, style="dim"))
    figures = report.summary(found, asked)
    console.print(report.speed_table(workload.name, figures))
    for name, row in figures["subjects"].items():
        if row["models"] and name == figures["reference"]:
            console.print(report.stage_table(f"{workload.name}, {row['label']}", row))
    return figures


if __name__ == "__main__":
    typer.run(main)
