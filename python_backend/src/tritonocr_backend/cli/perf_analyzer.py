"""Define `tritonocr perf-analyzer`, which runs Triton's load generator."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import typer

from tritonocr_backend.cli.reporting import exit_on_error, progress_bar, say
from tritonocr_backend.zoo import programs
from tritonocr_backend.zoo.programs import Program

app = typer.Typer()

SIGN_OF_LIFE_S = 10
HELP = {"-h", "--help"}

# perf_analyzer loads these names; the wheel of tritonserver has the libraries under longer names.
_LIBRARIES = {"libb64.so.0d": "libb64-*.so.0d", "libcudart.so.12": "libcudart-*.so.12*"}


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
)
def perf_analyzer(context: typer.Context) -> None:
    """Measure a running server. All arguments are passed on to Triton's perf_analyzer (-h lists them).

    Example: tritonocr perf-analyzer -m PP-OCRv4_mobile_rec -u localhost:8001 -i grpc --shape image:48,320,3
    """
    with exit_on_error(), tempfile.TemporaryDirectory(prefix="tritonocr-") as scratch:
        binary = next(_fetch(programs.PERF_ANALYZER).rglob("perf_analyzer"))
        _link_libraries(Path(scratch), _fetch(programs.TRITONSERVER) / "nvidia_pytriton.libs")
        environment = {**os.environ, "LD_LIBRARY_PATH": scratch}
        status = _run([str(binary), *context.args], environment)
    raise typer.Exit(0 if HELP.intersection(context.args) else status)  # perf_analyzer ends -h with 99


def _run(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run perf_analyzer, which prints nothing before its results, and say that it is still measuring."""
    started_s = time.monotonic()
    with subprocess.Popen(command, env=environment) as process:
        while True:
            try:
                return process.wait(SIGN_OF_LIFE_S)
            except subprocess.TimeoutExpired:
                seconds = time.monotonic() - started_s
                say(f"tritonocr: perf_analyzer is measuring, {seconds:.0f} s so far", err=True)


def _fetch(program: Program) -> Path:
    with progress_bar(program.name) as progress:
        return programs.fetch(program, partial(progress, program.wheel.label))


def _link_libraries(directory: Path, libraries: Path) -> None:
    for name, pattern in _LIBRARIES.items():
        (directory / name).symlink_to(next(libraries.glob(pattern)))
