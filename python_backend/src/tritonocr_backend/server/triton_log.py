"""Tritonserver's own log as a JSON object a line: it writes text only."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterable
from typing import Final, TextIO

ARGUMENTS: Final = ("--log-format=ISO8601",)
"""What tritonserver must be started with: lines that tell the year."""

_LINE = re.compile(r"(?P<time>\S+Z) (?P<level>[VIWEF]) (?P<process>\d+) (?P<source>\S+)\] (?P<message>.*)")
_LEVELS = {"V": "DEBUG", "I": "INFO", "W": "WARNING", "E": "ERROR", "F": "CRITICAL"}


def to_json(line: str) -> str:
    """A line of the log as JSON; one that is JSON already, such as our models write, is left as it is."""
    if line.startswith("{"):
        return line
    found = _LINE.fullmatch(line)
    if found is None:  # a table, or what a library prints
        return json.dumps({"level": "INFO", "logger": "tritonserver", "message": line})
    told = {"time": found["time"], "level": _LEVELS[found["level"]], "logger": "tritonserver"}
    return json.dumps({**told, "source": found["source"], "message": _unquoted(found["message"])})


def relay(lines: Iterable[bytes], target: TextIO) -> None:
    """Write tritonserver's output to `target` as JSON, in a thread, until it ends."""

    def write() -> None:
        for line in lines:
            target.write(to_json(line.decode(errors="replace").rstrip("\n")) + "\n")
            target.flush()

    threading.Thread(target=write, name="tritonserver's log", daemon=True).start()


def _unquoted(message: str) -> str:
    try:
        return str(json.loads(message))
    except ValueError:  # broken over several lines
        return message
