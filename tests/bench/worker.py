"""A subject in its own process, driven over standard input and output (see workers/protocol.py)."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from bench.measured import Pass
from bench.processes import ProcessTree, end_group, start_group
from bench.workloads import Page

ENDED_S = 10.0
SCRIPTS = Path(__file__).parent / "workers"
# PaddleX would look for its model hosts on every start; oneDNN and OpenMP have their own idea of threads.
ENVIRONMENT = {"PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK": "True"}


class WorkerError(RuntimeError):
    """A worker ended without a response; the message contains the end of its output."""


class Worker:
    """A running worker; a context manager.

    Args:
        interpreter: the Python that runs it.
        script: in workers/.
        configuration: its argument.
        log_file: where what it prints goes.
    """

    def __init__(self, interpreter: Path, script: str, configuration: dict[str, Any], log_file: Path) -> None:
        self._script, self._log_file = script, log_file
        with log_file.open("ab") as log:
            self._process = start_group(
                [str(interpreter), str(SCRIPTS / script), json.dumps(configuration)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, **ENVIRONMENT},
                text=True,
            )
        self.tree = ProcessTree(self._process.pid)

    def __enter__(self) -> Worker:
        try:
            self._answer()  # that it is ready
        except BaseException:
            end_group(self._process)
            raise
        return self

    def __exit__(self, *raised: object) -> None:
        end_group(self._process)

    def read(self, pages: Sequence[Page]) -> Pass:
        """One pass over the pages."""
        assert self._process.stdin is not None
        self.tree.reset_peak()
        cpu_s = self.tree.cpu_s()
        self._process.stdin.write(json.dumps({"pages": [str(page.path) for page in pages]}) + "\n")
        self._process.stdin.flush()
        answer = self._answer()
        return Pass(
            pages=sum(page.page_count for page in pages),
            wall_s=answer["wall_s"],
            latencies_s=tuple(answer["latencies_s"]),
            cpu_s=self.tree.cpu_s() - cpu_s,
            peak_mb=self.tree.peak_mb(),
            lines={page.name: lines for page, lines in zip(pages, answer["lines"], strict=False)},
            details=answer["details"],
        )

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(ENDED_S)  # its error is printed after its output has been closed
            tail = self._log_file.read_text(errors="replace").splitlines()[-10:]
            raise WorkerError("\n".join([f"{self._script} has ended:", *tail]))
        return dict(json.loads(line))
