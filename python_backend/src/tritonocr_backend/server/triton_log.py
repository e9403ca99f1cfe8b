"""Convert the text log of tritonserver to JSON, one object per line."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterable
from typing import Final, TextIO

ARGUMENTS: Final = ("--log-format=ISO8601",)
"""Arguments for tritonserver: with them its log lines contain the year."""

_LINE = re.compile(r"(?P<time>\S+Z) (?P<level>[VIWEF]) (?P<process>\d+) (?P<source>\S+)\] (?P<message>.*)")
_LEVELS = {"V": "DEBUG", "I": "INFO", "W": "WARNING", "E": "ERROR", "F": "CRITICAL"}


def to_json(line: str) -> str:
    """Return a line of the log as JSON; a line that is JSON already stays unchanged."""
    if line.startswith("{"):
        return line
    found = _LINE.fullmatch(line)
    if found is None:  # a table, or the output of a library
        return json.dumps({"level": "INFO", "logger": "tritonserver", "message": line})
    record = {"time": found["time"], "level": _LEVELS[found["level"]], "logger": "tritonserver"}
    return json.dumps({**record, "source": found["source"], "message": _unquoted(found["message"])})


def relay(lines: Iterable[bytes], target: TextIO) -> None:
    """Start a thread that writes the output of tritonserver to `target` as JSON."""

    def write() -> None:
        for line in lines:
            target.write(to_json(line.decode(errors="replace").rstrip("\n")) + "\n")
            target.flush()

    threading.Thread(target=write, name="tritonserver's log", daemon=True).start()


def _unquoted(message: str) -> str:
    try:
        return str(json.loads(message))
    except ValueError:  # the message continues on the next line
        return message
