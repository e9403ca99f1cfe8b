"""`tritonocr perf-analyzer`: Triton's load generator, out of tritonclient's wheel."""

from __future__ import annotations

import os
import subprocess
import tempfile
from fnmatch import fnmatch
from importlib import metadata
from pathlib import Path

import typer

from tritonocr_backend.cli.reporting import exit_on_error
from tritonocr_backend.core.errors import ServerError

app = typer.Typer()

# Libraries that it is linked to, under the names that it asks for; the wheels hold them under others.
_LIBRARIES = {"libb64.so.0d": "libb64-*.so.0d", "libcudart.so.12": "libcudart-*.so.12*"}


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
)
def perf_analyzer(context: typer.Context) -> None:
    """Measure a running server; every argument goes to Triton's perf_analyzer as it is.

    Example: tritonocr perf-analyzer -m PP-OCRv4_mobile_rec -u localhost:8001 -i grpc --shape image:48,320,3
    """
    with exit_on_error(), tempfile.TemporaryDirectory(prefix="tritonocr-") as scratch:
        binary = _file_of("tritonclient", "perf_analyzer")
        _link_libraries(Path(scratch))
        environment = {**os.environ, "LD_LIBRARY_PATH": scratch}
        status = subprocess.run([str(binary), *context.args], env=environment, check=False).returncode
    raise typer.Exit(status)


def _link_libraries(directory: Path) -> None:
    for name, pattern in _LIBRARIES.items():
        (directory / name).symlink_to(_file_of("nvidia-pytriton", pattern))


def _file_of(distribution: str, pattern: str) -> Path:
    """The installed file of a distribution whose name fits a pattern."""
    try:
        files = metadata.files(distribution) or []
    except metadata.PackageNotFoundError as error:
        raise ServerError(f"{distribution} is not installed: pip install tritonocr-server") from error
    for file in files:
        if fnmatch(file.name, pattern):
            return Path(str(file.locate())).resolve()
    raise ServerError(f"this release of {distribution} holds no {pattern}; expected 2.51.0 of tritonclient")
