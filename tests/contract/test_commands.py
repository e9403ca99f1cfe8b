"""The command line knows the server's commands also where the server is not installed."""

from importlib.metadata import distribution

from tritonocr.cli._app import COMMAND_GROUP, SERVER_COMMANDS


def test_the_client_names_every_command_that_the_server_adds() -> None:
    added = distribution("tritonocr-server").entry_points.select(group=COMMAND_GROUP)
    assert {command.name for command in added} == set(SERVER_COMMANDS)
