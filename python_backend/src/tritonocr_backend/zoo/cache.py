"""Store model files in the cache, below `models/<name>/<format>/`.

A model directory appears in the cache only when all its files are complete. The cache also contains
`downloads/` (unfinished archives, which the next fetch resumes), `staging/` (incomplete model directories)
and `checksums.json` (the hash of each archive, recorded at the first download).

A container image contains models in a second, read-only cache (`$TRITONOCR_SHIPPED_HOME`). It is used for
models that the user's cache does not contain. A volume mounted over the user's cache does not hide it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from tritonocr_backend.zoo.errors import SourceError
from tritonocr_backend.zoo.layout import FileFormat
from tritonocr_backend.zoo.names import check_model_name
from tritonocr_common import environment

_FORMATS: tuple[FileFormat, ...] = ("onnx", "paddle")


def home() -> Path:
    """Return the cache folder: `$TRITONOCR_HOME`, or `~/.cache/tritonocr`."""
    configured = os.environ.get(environment.HOME)
    return Path(configured) if configured else Path.home() / ".cache" / "tritonocr"


def shipped_home() -> Path | None:
    """Return the read-only cache of the container image, `$TRITONOCR_SHIPPED_HOME`; None if not set."""
    configured = os.environ.get(environment.SHIPPED_HOME)
    return Path(configured) if configured else None


def is_offline() -> bool:
    """Return whether `$TRITONOCR_OFFLINE` forbids downloads. Unset, empty, `0` and `false` allow them."""
    return os.environ.get(environment.OFFLINE, "").lower() not in ("", "0", "false")


def model_dir(name: str, file_format: FileFormat) -> Path:
    """Return the folder for the files of a fetched model."""
    return home() / "models" / check_model_name(name) / file_format


def record_path(name: str) -> Path:
    """Return the path of the registry record of an imported model."""
    return home() / "models" / check_model_name(name) / "model.json"


def formats(name: str) -> tuple[FileFormat, ...]:
    """Return the file formats of a model in the cache, the preferred format first."""
    return tuple(one for one in _FORMATS if find(name, one))


def find(name: str, file_format: FileFormat | None = None) -> Path | None:
    """Return the folder of a model; None if no cache contains the model.

    Args:
        name: name of the model.
        file_format: the wanted format; None prefers ONNX to Paddle.
    """
    wanted = _FORMATS if file_format is None else (file_format,)
    homes = [one for one in (home(), shipped_home()) if one]
    folder = Path("models", check_model_name(name))
    directories = (one / folder / each for each in wanted for one in homes)
    return next((directory for directory in directories if directory.is_dir()), None)


def download_dir(url: str) -> Path:
    """Create and return the folder for the unfinished download of `url`."""
    path = home() / "downloads" / hashlib.sha256(url.encode()).hexdigest()[:16]
    path.mkdir(parents=True, exist_ok=True)
    return path


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold the lock of a name: other threads and processes wait."""
    path = home() / "locks" / f"{check_model_name(name)}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path):
        yield


@contextmanager
def staging(name: str) -> Iterator[Path]:
    """Provide an empty folder in which a model is assembled, and delete the folder afterwards.

    The caller holds the model's lock. Files that a killed process has left are deleted first.
    """
    path = home() / "staging" / check_model_name(name)
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    try:
        yield path
    finally:
        shutil.rmtree(path)


def publish(directory: Path, target: Path) -> Path:
    """Move a complete directory to `target`, on the same file system; replace an earlier `target`."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        shutil.rmtree(target)
    return directory.rename(target)


def disk_error(error: OSError) -> str:
    """Return an error text for a failed read or write in the cache."""
    return f"{error.strerror or error}; {environment.HOME} chooses another place"


def check_recorded(url: str, sha256: str) -> None:
    """Compare a hash with the one that was recorded for `url`; record the hash at the first use.

    Raises:
        SourceError: the content at `url` has changed since then.
    """
    path = home() / "checksums.json"
    with locked("checksums"):
        known = json.loads(path.read_text()) if path.exists() else {}
        if known.setdefault(url, sha256) != sha256:
            raise SourceError(
                f"the SHA-256 is {sha256}, but was {known[url]} at first use; if the change is intended, "
                f"remove the URL from {path}"
            )
        partial = path.with_suffix(".part")
        partial.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n")
        partial.replace(path)
