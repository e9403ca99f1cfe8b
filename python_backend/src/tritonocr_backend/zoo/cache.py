"""The model cache: one directory a model and file format, published whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from tritonocr_backend.zoo.registry import FileFormat


def home() -> Path:
    """`$TRITONOCR_HOME`, or `~/.cache/tritonocr`."""
    configured = os.environ.get("TRITONOCR_HOME")
    return Path(configured) if configured else Path.home() / ".cache" / "tritonocr"


def model_dir(name: str, file_format: FileFormat) -> Path:
    """Where a model's files stand once they are complete."""
    return home() / "models" / name / file_format


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold the cache's lock of that name, against other threads and processes."""
    path = home() / "locks" / f"{name}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path):
        yield


@contextmanager
def publishing(target: Path) -> Iterator[Path]:
    """Yield an empty directory that becomes `target` at the end, or vanishes where an error ends it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        yield staging
        staging.chmod(0o755)  # mkdtemp's 0700 would hide the model from a server under another user
        if target.exists():
            shutil.rmtree(target)
        staging.rename(target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
