"""The command line knows the server's commands also where the server is not installed."""

import tomllib
from pathlib import Path

from tritonocr.cli._app import COMMAND_GROUP, SERVER_COMMANDS

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"


def test_the_client_names_every_command_that_the_server_adds() -> None:
    project = tomllib.loads(PYPROJECT.read_text("utf-8"))["project"]
    assert sorted(project["entry-points"][COMMAND_GROUP]) == sorted(SERVER_COMMANDS)
