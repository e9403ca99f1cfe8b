"""Relay the log of tritonserver: leave out what a machine without a GPU need not know, convert to JSON."""

from __future__ import annotations

import contextlib
import json
import re
import threading
from pathlib import Path
from typing import IO, BinaryIO, Final

from tritonocr_backend.core.logs import LogFormat

ARGUMENTS: Final = ("--log-format=ISO8601",)
"""Arguments of tritonserver that add the year to its log lines."""

_LINE = re.compile(r"(?P<time>\S+Z) (?P<level>[VIWEF]) (?P<process>\d+) (?P<source>\S+)\] (?P<message>.*)")
# What tritonserver writes at each start on a machine without an NVIDIA GPU.
_NO_GPU = re.compile(
    rb'\] "Unable to allocate pinned system memory'
    rb'|\] "CUDA memory pool disabled'
    rb'|\] "CudaDriverHelper has not been initialized'
    rb'|\] "DCGM unable to start'
    rb"|^Error: Failed to initialize NVML$"
)
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


def relay(lines: IO[bytes], target: BinaryIO, log_format: LogFormat, name: str = "") -> threading.Thread:
    """Start a thread that writes each line of tritonserver to `target` at once, and return the thread.

    The thread reads to the end also when nobody reads `target` any more: tritonserver would wait for it.

    Args:
        lines: output of tritonserver.
        target: where the lines are written.
        log_format: text or json.
        name: name of the server, which each line then contains; "" for the only server.
    """
    has_gpu = has_nvidia_gpu()

    def write() -> None:
        with lines:
            for line in lines:
                if not has_gpu and _NO_GPU.search(line):
                    continue
                with contextlib.suppress(OSError):
                    target.write(_json_line(line, name) if log_format == "json" else _text_line(line, name))
                    target.flush()

    thread = threading.Thread(target=write, name="tritonserver's log", daemon=True)
    thread.start()
    return thread


def _text_line(line: bytes, name: str) -> bytes:
    return f"[{name}] ".encode() + line if name else line


def _json_line(line: bytes, name: str) -> bytes:
    text = to_json(line.decode(errors="replace").rstrip("\n"))
    if name:
        with contextlib.suppress(ValueError):  # a line in braces that is not JSON
            text = json.dumps({**json.loads(text), "replica": name})
    return text.encode(errors="backslashreplace") + b"\n"


def has_nvidia_gpu(devices: Path = Path("/dev")) -> bool:
    """Return whether a device file of NVIDIA's drivers exists: of a PC, of Jetson or of WSL."""
    return any(any(devices.glob(name)) for name in ("nvidia*", "nvhost-gpu", "nvgpu", "dxg"))


def _unquoted(message: str) -> str:
    try:
        return str(json.loads(message))
    except ValueError:  # the message continues on the next line
        return message
