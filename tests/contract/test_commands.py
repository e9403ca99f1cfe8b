"""The client lists the server's commands, installed or not, and each command shows its usage."""

from collections.abc import Iterator
from importlib.metadata import distribution
from typing import Any

import pytest
import typer.main

from tritonocr.cli._app import COMMAND_GROUP, SERVER_COMMANDS, app


def commands(command: Any, words: str = "tritonocr") -> Iterator[tuple[str, str]]:
    """Every command with its help, but for perf-analyzer, which hands --help on to the program it runs."""
    if not hasattr(command, "list_commands"):
        yield words, command.help
        return
    for name in command.list_commands(None):
        if name != "perf-analyzer":
            yield from commands(command.get_command(None, name), f"{words} {name}")


def test_the_client_names_every_command_that_the_server_adds() -> None:
    added = distribution("tritonocr-server").entry_points.select(group=COMMAND_GROUP)
    assert {command.name for command in added} == set(SERVER_COMMANDS)


@pytest.mark.parametrize(("words", "text"), list(commands(typer.main.get_command(app))))
def test_help_shows_examples(words: str, text: str) -> None:
    assert words in text.partition("\n\nExample")[2]
