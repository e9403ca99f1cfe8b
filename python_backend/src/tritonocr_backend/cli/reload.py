"""`tritonocr reload`: restart the replicas of a running `tritonocr serve` with new settings."""

from __future__ import annotations

from typing import Annotated

import typer

from tritonocr_backend.cli.reporting import exit_on_error, say
from tritonocr_backend.server.reload_socket import request_reload


def reload(
    pid: Annotated[
        int | None,
        typer.Option(help="Process id of `tritonocr serve`.", show_default="the only one of this user"),
    ] = None,
) -> None:
    """Put changed settings and models into force in a running `tritonocr serve`.

    The server reads the files of its --pipeline and --serving and the models of the cache again. Then its
    replicas restart one after the other: each finishes its requests, stops, starts and reads a page. A single
    replica makes requests wait until it has restarted. If a replica does not start with the new settings, it
    starts again with the old ones, and the command ends with an error.

    Examples:
        tritonocr serve --replicas 2 --gateway --pipeline OCR.yaml

        tritonocr reload

        tritonocr reload --pid 4711
    """
    with exit_on_error():
        for line in request_reload(pid):
            say(line)
    say("The new settings are in force.")
