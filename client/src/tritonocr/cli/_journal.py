"""Which files of a long run are done, so that it can be interrupted and started again.

One JSON object a line: first the options that the results depend on, then each file when its output is
complete. A line cut short by a crash counts as not written.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from .._exceptions import InvalidInputError
from ._jobs import Job

FILE_NAME = ".tritonocr-journal.jsonl"


class Journal:
    """The journal of one output directory; a context manager.

    Args:
        directory: the output directory, which is made.
        options: what the results depend on.
        resume: go on where an earlier run stopped; otherwise the journal starts anew.

    Raises:
        InvalidInputError: an earlier run had other options.
    """

    def __init__(self, directory: Path, options: Mapping[str, Any], *, resume: bool) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        path = directory / FILE_NAME
        lines = _lines(path) if resume else []
        if lines and lines[0].get("options") != options:
            raise InvalidInputError(
                f"The results in {str(directory)!r} were made with {lines[0].get('options')}, not with "
                f"{dict(options)}: use those options again, or another --save_path, or leave out --resume."
            )
        self._done = {line["input"]: line for line in lines[1:]}
        self._file: IO[str] = path.open("a" if lines else "w", encoding="utf-8")
        if lines:
            self._file.write("\n")  # ends a line that was cut short
        else:
            self._append({"options": options})

    @property
    def stems(self) -> dict[str, str]:
        """Where the output of each file that is done lies, as `folder/stem`."""
        return {name: line["output"] for name, line in self._done.items()}

    def has(self, job: Job) -> bool:
        """Whether the job is done, its input unchanged since."""
        line = self._done.get(job.source.input_path or "")
        return line is not None and line["input_state"] == _input_state(job)

    def add(self, job: Job) -> None:
        """Note that the job's output is complete; standard input has no name to know it by again."""
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
    for text in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            found.append(json.loads(text))
        except ValueError:
            continue
    return found


def _input_state(job: Job) -> list[int] | None:
    """Size in bytes and time of the last change in ns; None for what is no file."""
    try:
        status = Path(job.name).stat()
    except (OSError, ValueError):
        return None
    return [status.st_size, status.st_mtime_ns]
