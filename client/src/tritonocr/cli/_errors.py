"""Errors of the command line: one line on standard error, and a fixed exit code."""

from __future__ import annotations

import sys
import warnings
from enum import IntEnum
from typing import NoReturn

from .._exceptions import AccessDeniedError, InvalidInputError, MissingExtraError, ServerUnavailableError


class ExitCode(IntEnum):
    """Exit codes of all commands."""

    OK = 0
    FILES_FAILED = 1
    USAGE = 2
    UNAVAILABLE = 3
    INTERRUPTED = 130

    @classmethod
    def of(cls, error: Exception) -> ExitCode:
        """Return the exit code for an error that ends the command."""
        if isinstance(error, (ServerUnavailableError, AccessDeniedError)):
            return cls.UNAVAILABLE
        return cls.USAGE if isinstance(error, (InvalidInputError, MissingExtraError)) else cls.FILES_FAILED


def say(sentence: str) -> None:
    """Print a line on standard error; an error with the server's log has several lines."""
    lines = map(escaped, sentence.splitlines())
    sys.stderr.write("tritonocr: " + "\n".join(lines) + "\n")


def escaped(text: str) -> str:
    """Return text for a terminal: a file's name can contain control characters."""
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)


def say_warnings() -> None:
    """Print warnings as lines of the command, without Python's line numbers."""
    warnings.showwarning = lambda message, *_, **__: say(str(message))


def fail(sentence: str, code: ExitCode) -> NoReturn:
    """Print a line on standard error and end the process with an exit code."""
    say(sentence)
    sys.exit(int(code))
