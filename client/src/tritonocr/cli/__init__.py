"""The command `tritonocr`.

Commands are entry points of the group `tritonocr.commands`: the entry's name is the command's, its object a
`typer.Typer` or a function that typer makes a command of. Only the command that is called is imported.
"""

from __future__ import annotations

import sys

from .._exceptions import missing_extra

__all__ = ["main"]


def main() -> None:
    """Run `tritonocr` with the process's arguments."""
    try:
        from ._app import run
    except ImportError as error:
        sys.exit(str(missing_extra("cli", "The command tritonocr", error)))
    run(sys.argv[1:])
