"""The record of the finished files of a long run, which can be interrupted and started again.

The journal has one JSON object per line: first the options that the results depend on, then one object for
each file whose output is complete. A line that a crash cut short counts as not written.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from .._exceptions import InvalidInputError
from ._jobs import InputJob

FILE_NAME = ".tritonocr-journal.jsonl"


class Journal:
    """The journal of one output directory; a context manager.

    Args:
        directory: the output directory; it is made if absent.
        options: the options that the results depend on.
        resume: continue an earlier run; otherwise a new journal begins.

    Raises:
        InvalidInputError: the earlier run had other options.
    """

    def __init__(self, directory: Path, options: Mapping[str, Any], *, resume: bool) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        path = directory / FILE_NAME
        lines = _lines(path) if resume else []
        if lines and lines[0].get("options") != options:
            raise InvalidInputError(
                f"The results in {str(directory)!r} were made with the options {lines[0].get('options')}, "
                f"not with {dict(options)}; use the same options, another --save_path, or no --resume."
            )
        self._done = {line["input"]: line for line in lines[1:]}
        # A name that is not UTF-8 has surrogates, which become JSON's escapes.
        self._file: IO[str] = path.open("a" if lines else "w", encoding="utf-8", errors="backslashreplace")
        if lines:
            self._file.write("\n")  # ends a line that a crash cut short
        else:
            self._append({"options": options})

    @property
    def stems(self) -> dict[str, str]:
        """The place of each finished file's output, as `folder/stem`."""
        return {name: line["output"] for name, line in self._done.items()}

    def has(self, job: InputJob) -> bool:
        """Return whether the job is done and its input is unchanged since then."""
        line = self._done.get(job.source.input_path or "")
        return line is not None and line["input_state"] == _input_state(job)

    def add(self, job: InputJob) -> None:
        """Record that the job's output is complete; standard input has no name and is not recorded."""
        if job.source.input_path is None:
            return
        output = (job.folder / job.stem).as_posix()
        self._append({"input": job.name, "input_state": _input_state(job), "output": output})

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()

    def _append(self, line: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(line, ensure_ascii=False) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())


def _lines(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    found = []
    # Not `splitlines`: a file's name may contain other characters that separate lines, such as U+2028.
    for text in path.read_text(encoding="utf-8", errors="replace").split("\n"):
        try:
            found.append(json.loads(text))
        except ValueError:
            continue
    return found


def _input_state(job: InputJob) -> list[int] | None:
    """Return the input's size in bytes and time of change in ns; None if the input is no file."""
    try:
        status = Path(job.name).stat()
    except (OSError, ValueError):
        return None
    return [status.st_size, status.st_mtime_ns]
