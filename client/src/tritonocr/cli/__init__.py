"""The command `tritonocr`.

Each command is an entry point of the group `tritonocr.commands`: the entry's name is the command's name, its
object is a `typer.Typer` or a function. Only the module of the called command is imported.
"""

from __future__ import annotations

import io
import sys

from .._exceptions import missing_extra

__all__ = ["main"]


def main() -> None:
    """Run `tritonocr` with the arguments of the process."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # the terminal's encoding may lack a character
    try:
        from ._app import run
    except ImportError as error:
        sys.exit(str(missing_extra("cli", "The command tritonocr", error)))
    run(sys.argv[1:])
