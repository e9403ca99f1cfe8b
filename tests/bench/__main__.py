"""The benchmark's command line."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from bench import document, growth, machine, pictures, report, startup
from bench.rounds import measure
from bench.subjects import FAMILIES, Bench, subjects
from bench.targets import verdicts
from bench.workloads import DEFAULT_MODELS, WORKLOADS, Workload
from tritonocr_backend.repository.serving_settings import ServingSettings

MIN_WIDTH = 165  # of tables, also where the output is no terminal
STARTUPS = 2  # the first one may find cold caches
MAX_IDLE_CORES = 0.02
QUICK_SUBJECTS = ("ours", "in-process", "floor", "rapidocr-openvino", "paddlex-onnxruntime")
QUICK_CLIENTS = (1, 4, 32)
QUICK_PAGES = 8

app = typer.Typer(pretty_exceptions_enable=False)
console = Console()
console.width = max(console.width, MIN_WIDTH)


@dataclass(frozen=True)
class Choice:
    """The measured part of a workload: subjects, numbers of clients, files; None: all of the workload."""

    families: tuple[str, ...] | None
    clients: tuple[int, ...] | None
    pages: int | None

    def of(self, workload: Workload) -> Workload:
        """The workload, narrowed."""
        families = self.families or workload.subjects or tuple(FAMILIES)
        families = tuple(name for name in families if FAMILIES[name].reads(workload))
        if not families:
            raise typer.BadParameter(f"subject: none of them reads the workload {workload.name}")
        clients = {**workload.clients, **({"ours": self.clients} if self.clients else {})}
        return replace(workload, pages=workload.pages[: self.pages], subjects=families, clients=clients)


@app.command()
def main(
    workload: Annotated[
        list[str] | None,
        typer.Option(help=f"{', '.join(WORKLOADS)}, growth or startup; repeatable.", show_default="all"),
    ] = None,
    subject: Annotated[
        list[str] | None, typer.Option(help=f"{', '.join(FAMILIES)}; repeatable.", show_default="all")
    ] = None,
    clients: Annotated[
        list[int] | None,
        typer.Option(help="Requests in flight, for ours; repeatable.", show_default="1 to 32"),
    ] = None,
    pages: Annotated[
        int | None, typer.Option(min=1, help="Only so many files of each workload.", show_default="all")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="How often each subject reads.")] = 5,
    quick: Annotated[
        bool, typer.Option("--quick", help="Receipts only: fewer subjects, clients, pages and rounds.")
    ] = False,
    device: Annotated[str, typer.Option(help="Where our networks run: cpu, gpu:0.")] = "cpu",
    output: Annotated[Path, typer.Option(help="The JSON file; its tables in Markdown go beside it.")] = Path(
        "output/bench.json"
    ),
    merge: Annotated[
        bool, typer.Option("--merge", help="Keep what the file holds of other workloads.")
    ] = False,
    picture_dir: Annotated[
        Path | None, typer.Option(help="Write SVG pictures of the receipts here.", show_default="none")
    ] = None,
) -> None:
    """Measure TritonOCR, its peers and the networks alone by turns; print tables, write JSON.

    Example: python -m bench --workload receipts --subject ours --subject floor --clients 4
    """
    choice = Choice(tuple(subject or ()) or None, tuple(clients or ()) or None, pages)
    names = workload or [*WORKLOADS, "growth", "startup"]
    if quick:
        choice, names, rounds = Choice(QUICK_SUBJECTS, QUICK_CLIENTS, QUICK_PAGES), ["receipts"], 2
    results = json.loads(output.read_text(encoding="utf-8")) if merge and output.exists() else {}
    results |= {"measured": datetime.now(timezone.utc).isoformat(timespec="seconds")}
    results |= {"machine": machine.description(), "device": device}
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        for part in _parts(names, choice, rounds, device, Path(scratch)):
            results["workloads"] = {**results.get("workloads", {}), **part.pop("workloads", {})}
            results |= part
            _write(results, output)  # after every part: all of them take an hour
    _report(results, output, picture_dir)


def _parts(
    names: list[str], choice: Choice, rounds: int, device: str, scratch: Path
) -> Iterator[dict[str, Any]]:
    """Measure what was named, workload by workload."""
    chosen = [choice.of(WORKLOADS[name](scratch)) for name in names if name in WORKLOADS]
    serving = ServingSettings(device=device)
    for models, group in groupby(chosen, key=lambda one: one.models):
        with Bench(models, serving, scratch, machine.cores()) as bench:
            for one in group:
                yield {"workloads": {one.name: _measure(bench, one, rounds)}}
    if "growth" in names:
        with Bench(DEFAULT_MODELS, serving, scratch, machine.cores()) as bench:
            yield {"growth": _growth(bench, rounds)}
    if "startup" in names:
        yield {"startup_s": [startup.startup_s(device) for _ in range(STARTUPS)]}


def _measure(bench: Bench, workload: Workload, rounds: int) -> dict[str, Any]:
    asked = subjects(workload.subjects, workload.clients)
    readers = {family: bench.reader(family) for family in workload.subjects}
    found = measure(workload, asked, readers, rounds, _tell)
    for family, cores in found.idle_cores.items():
        if cores > MAX_IDLE_CORES:
            _tell(f"{family} uses {cores:.2f} cores without requests, which disturbs the other subjects")
    figures = {**report.summary(found, asked), "models": asdict(workload.models)}
    console.print(report.speed_table(workload.name, figures))
    for row in figures["subjects"].values():
        if row["models"]:
            console.print(report.stage_table(f"{workload.name}, {row['label']}", row))
    return figures


def _growth(bench: Bench, rounds: int) -> dict[str, Any]:
    found = {
        "lines": growth.against_lines(bench.triton, bench.scratch, rounds),
        "pixels": growth.against_pixels(bench.triton, bench.scratch, rounds),
    }
    figures = {name: one.figures() for name, one in found.items()}
    for one in figures.values():
        console.print(report.growth_table(one))
    return figures


def _write(results: dict[str, Any], output: Path) -> None:
    results["targets"] = [{**asdict(one), "holds": one.holds} for one in verdicts(results)]
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    output.with_suffix(".md").write_text(document.markdown(results), encoding="utf-8")


def _report(results: dict[str, Any], output: Path, picture_dir: Path | None) -> None:
    console.print(report.target_table(verdicts(results)))
    _tell(f"{results['machine']}")
    _tell(f"written to {output}")
    if picture_dir is not None:
        for path in pictures.write(results["workloads"]["receipts"]["subjects"], picture_dir):
            _tell(f"drawn to {path}")


def _tell(text: str) -> None:
    console.print(text, style="dim", highlight=False)


if __name__ == "__main__":
    app()
