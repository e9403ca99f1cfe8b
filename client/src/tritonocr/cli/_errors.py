"""How the command line speaks of errors: a line on standard error, and an exit code to trust."""

from __future__ import annotations

import sys
from enum import IntEnum
from typing import NoReturn

from .._exceptions import AccessDeniedError, InvalidInputError, ServerUnavailableError


class ExitCode(IntEnum):
    """What the process ends with."""

    OK = 0
    FILES_FAILED = 1
    USAGE = 2
    UNAVAILABLE = 3
    INTERRUPTED = 130

    @classmethod
    def of(cls, error: Exception) -> ExitCode:
        """The code of an error that ends the command."""
        if isinstance(error, (ServerUnavailableError, AccessDeniedError, ImportError)):
            return cls.UNAVAILABLE
        return cls.USAGE if isinstance(error, InvalidInputError) else cls.FILES_FAILED


def say(sentence: str) -> None:
    """Print a line on standard error."""
    sys.stderr.write(f"tritonocr: {sentence}\n")


def fail(sentence: str, code: ExitCode) -> NoReturn:
    """Say why, and end the process."""
    say(sentence)
    sys.exit(int(code))
