"""Convert the text log of tritonserver to JSON, one object per line."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterable
from typing import Final, TextIO

ARGUMENTS: Final = ("--log-format=ISO8601",)
"""Arguments of tritonserver that add the year to its log lines."""

_LINE = re.compile(r"(?P<time>\S+Z) (?P<level>[VIWEF]) (?P<process>\d+) (?P<source>\S+)\] (?P<message>.*)")
_LEVELS = {"V": "DEBUG", "I": "INFO", "W": "WARNING", "E": "ERROR", "F": "CRITICAL"}


def to_json(line: str) -> str:
    """Return a log line as JSON. A line that is already JSON stays unchanged."""
    if line.startswith("{"):
        return line
    match = _LINE.fullmatch(line)
    if match is None:  # a table, or the output of a library
        return json.dumps({"level": "INFO", "logger": "tritonserver", "message": line})
    record = {"time": match["time"], "level": _LEVELS[match["level"]], "logger": "tritonserver"}
    return json.dumps({**record, "source": match["source"], "message": _unquoted(match["message"])})


def relay(lines: Iterable[bytes], target: TextIO) -> None:
    """Start a thread that writes the output of tritonserver to `target` as JSON lines."""

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
