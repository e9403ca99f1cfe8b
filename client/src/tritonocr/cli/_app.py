"""The app: it finds the commands, and accepts PaddleX's spelling without a command."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Annotated, Any

import typer
import typer.main
from typer.core import TyperGroup

from .. import __version__
from .._exceptions import TritonOCRError
from ._errors import ExitCode, fail

COMMAND_GROUP = "tritonocr.commands"

# Commands of the server distribution; listed also if it is not installed, with a hint.
SERVER_COMMANDS = ("config", "models", "perf-analyzer", "reload", "repository", "serve", "tune")

# Options of the app itself. Any other option in the first place is PaddleX's spelling of `predict`.
_APP_OPTIONS = ("-h", "--help", "--version", "--install-completion", "--show-completion")


class Commands(TyperGroup):
    """The installed commands; each is imported when it is called or listed."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the sorted names, including the server's commands if the server is not installed."""
        return sorted({*_entry_points(), *SERVER_COMMANDS})

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return the command of that name, or None."""
        entry = _entry_points().get(cmd_name)
        if entry is not None:
            return _command(entry)
        return _missing(cmd_name, "pip install tritonocr-server") if cmd_name in SERVER_COMMANDS else None


def _entry_points() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=COMMAND_GROUP)}


def _command(entry: EntryPoint) -> Any:
    try:
        loaded = entry.load()
    except (ImportError, TritonOCRError) as error:
        return _missing(entry.name, str(error))
    return _made(entry.name, loaded)


def _made(name: str, loaded: Any, **settings: Any) -> Any:
    """Convert a function or a typer app to a click command."""
    if not isinstance(loaded, typer.Typer):
        function, loaded = loaded, typer.Typer(add_completion=False)
        loaded.command(name, **settings)(function)
    command = typer.main.get_command(loaded)
    command.name = name
    return command


def _missing(name: str, remedy: str) -> Any:
    """Return a command that accepts all arguments and prints which package is not installed."""

    def say_what_is_missing() -> None:
        fail(f"the command {name!r} needs a package that is not installed: {remedy}", ExitCode.USAGE)

    say_what_is_missing.__doc__ = f"Not installed: {remedy}"
    anything = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}
    return _made(name, say_what_is_missing, context_settings=anything)


app = typer.Typer(
    name="tritonocr",
    cls=Commands,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="PaddleX's OCR pipeline on NVIDIA Triton: server, client and gateway.",
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _app(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def with_command(arguments: Sequence[str]) -> list[str]:
    """Insert the command that PaddleX's spelling omits.

    `--pipeline OCR --input …` means `predict`, `--get_pipeline_config OCR --save_path …` means `config`.
    """
    flags = [argument.split("=")[0] for argument in arguments] or ["--help"]
    if not flags[0].startswith("-") or flags[0] in _APP_OPTIONS:
        return list(arguments)
    return ["config" if "--get_pipeline_config" in flags else "predict", *arguments]


def run(arguments: Sequence[str]) -> None:
    """Run the app and end the process with the command's exit code."""
    try:
        app(with_command(arguments), prog_name="tritonocr")
    except TritonOCRError as error:
        fail(str(error), ExitCode.of(error))
    except OSError as error:  # for example a full disk, or a directory without write permission
        fail(f"{error.filename or 'output'}: {error.strerror or error}", ExitCode.FILES_FAILED)
