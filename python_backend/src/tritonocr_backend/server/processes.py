"""Find the model that a process of tritonserver runs."""

from __future__ import annotations

from pathlib import Path

import psutil

_MODEL_FILE = "model.py"


def model_of(process: psutil.Process) -> str | None:
    """Return the name of the model that a process runs; None for a process that runs no Python model.

    The stub receives the path `<repository>/<model>/<version>/model.py` among its arguments.

    Raises:
        psutil.Error: the process has ended, or belongs to another user.
    """
    paths = (Path(argument) for argument in process.cmdline())
    models = (path.parents[1].name for path in paths if path.name == _MODEL_FILE and len(path.parts) > 2)
    return next(models, None)
