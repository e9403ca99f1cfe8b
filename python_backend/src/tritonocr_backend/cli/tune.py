"""`tritonocr tune`: the fastest settings for this machine, measured with one's own pages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from tritonocr_backend.cli.options import PipelineFile, PresetName, load_pipeline
from tritonocr_backend.cli.reporting import exit_on_error
from tritonocr_backend.cli.tuning import Candidate, Effort, Finding, conclusion, questions, server_of
from tritonocr_backend.cli.tuning import tune as measure
from tritonocr_backend.repository import serving_file
from tritonocr_backend.repository.cpu_sharing import available_cores
from tritonocr_backend.repository.serving_settings import ServingSettings

_PREPROCESSING = ("use_doc_orientation_classify", "use_doc_unwarping", "use_textline_orientation")
_HEADINGS = ("pages/s", "to the best so far", "s a page", "lines read alike")


def tune(
    pages: Annotated[
        list[Path], typer.Argument(help="Sample pages, similar to your documents; 10 to 30 are enough.")
    ],
    output: Annotated[Path, typer.Option(help="Where to write the settings.")] = Path("serving.yaml"),
    pipeline: PipelineFile = None,
    preset: PresetName = None,
    clients: Annotated[int, typer.Option(min=1, help="Files that are sent at the same time.")] = 4,
    rounds: Annotated[
        int, typer.Option(min=1, help="Number of times that each candidate reads all pages.")
    ] = 3,
    least_agreement: Annotated[
        float, typer.Option(min=0, max=1, help="Minimum share of lines whose text must stay the same.")
    ] = 0.9,
    preprocessing: Annotated[
        bool, typer.Option(help="Read with orientation and unwarping, as the default pipeline does.")
    ] = False,
) -> None:
    """Measure engines, precisions and instances on this machine, and write the fastest for `tritonocr serve`.

    Examples:
    tritonocr tune scans/*.jpg

    tritonocr serve --serving serving.yaml
    """
    with exit_on_error():
        config = load_pipeline(pipeline, preset)
        files = [path.read_bytes() for path in pages]
        start = server_of(config, {} if preprocessing else dict.fromkeys(_PREPROCESSING, False))
        effort, cores = Effort(clients, rounds, least_agreement), available_cores()
        total = 1 + sum(len(question(ServingSettings())) for question in questions(cores))
        console = Console(stderr=True)
        measured = track(measure(start, files, cores, effort), "Measuring", total=total, console=console)
        findings = list(_printed(measured, console))
        best = [finding.candidate for finding in findings if finding.is_best][-1]
        Console().print(_table(findings, best))
        comment = f"Measured by `tritonocr tune` with {len(files)} files on {cores} cores: {best.name}."
        output.write_text(serving_file.text(best.serving, comment), encoding="utf-8")
    typer.echo(f"{conclusion(findings)} Serve with: tritonocr serve --serving {output}")


def _printed(findings: Iterable[Finding], console: Console) -> Iterator[Finding]:
    """Print each finding as soon as it is measured."""
    for finding in findings:
        console.print(_line(finding), highlight=False, soft_wrap=True)
        yield finding


def _line(finding: Finding) -> str:
    figures = zip(_figures(finding), _HEADINGS, strict=True)
    return f"{finding.candidate.name}: {', '.join(f'{figure} {heading}' for figure, heading in figures)}"


def _table(findings: list[Finding], best: Candidate) -> Table:
    table = Table()
    table.add_column("settings", no_wrap=True)
    for heading in _HEADINGS:
        table.add_column(heading, justify="right")
    for finding in findings:
        style = "bold green" if finding.candidate is best else None
        table.add_row(finding.candidate.name, *_figures(finding), style=style)
    return table


def _figures(finding: Finding) -> tuple[str, ...]:
    return (
        f"{finding.pages_per_second:.2f}",
        f"{finding.ratio:.2f}",
        f"{finding.median_latency_s:.2f}",
        f"{finding.agreement:.1%}",
    )
