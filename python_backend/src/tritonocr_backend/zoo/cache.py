"""The cache: `models/<name>/<format>/`, each published whole or not at all.

Beside it stand `downloads/` (archives under way, continued by the next fetch), `staging/` (model
directories being put together) and `checksums.json` (hashes of archives, recorded at first use).

A container image brings models along in a cache of its own (`$TRITONOCR_SHIPPED_HOME`), which is looked at
where the user's has none and never written to: a volume over the user's cache does not hide them.
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
    """`$TRITONOCR_HOME`, or `~/.cache/tritonocr`."""
    configured = os.environ.get(environment.HOME)
    return Path(configured) if configured else Path.home() / ".cache" / "tritonocr"


def shipped_home() -> Path | None:
    """`$TRITONOCR_SHIPPED_HOME`: a cache that came with the image, read only."""
    configured = os.environ.get(environment.SHIPPED_HOME)
    return Path(configured) if configured else None


def is_offline() -> bool:
    """Whether `$TRITONOCR_OFFLINE` forbids to fetch anything; unset, empty, 0 and false do not."""
    return os.environ.get(environment.OFFLINE, "").lower() not in ("", "0", "false")


def model_dir(name: str, file_format: FileFormat) -> Path:
    """Where a model's files stand once they have been fetched."""
    return home() / "models" / check_model_name(name) / file_format


def record_path(name: str) -> Path:
    """Where the registry record of an imported model stands, beside its files."""
    return home() / "models" / check_model_name(name) / "model.json"


def formats(name: str) -> tuple[FileFormat, ...]:
    """Return the cached formats of a model, in order of preference."""
    return tuple(one for one in _FORMATS if find(name, one))


def find(name: str, file_format: FileFormat | None = None) -> Path | None:
    """Return the directory of a cached model; without `file_format`, prefer ONNX to Paddle."""
    wanted = _FORMATS if file_format is None else (file_format,)
    homes = [one for one in (home(), shipped_home()) if one]
    folder = Path("models", check_model_name(name))
    directories = (one / folder / each for each in wanted for one in homes)
    return next((directory for directory in directories if directory.is_dir()), None)


def download_dir(url: str) -> Path:
    """Where the download of an archive is kept until it is unpacked."""
    path = home() / "downloads" / hashlib.sha256(url.encode()).hexdigest()[:16]
    path.mkdir(parents=True, exist_ok=True)
    return path


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold the lock of that name, against other threads and processes."""
    path = home() / "locks" / f"{check_model_name(name)}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path):
        yield


@contextmanager
def staging(name: str) -> Iterator[Path]:
    """Create a temporary directory for a model, and remove it afterwards; hold the model's lock meanwhile.

    Files that a killed process left in the directory are removed first.
    """
    path = home() / "staging" / check_model_name(name)
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    try:
        yield path
    finally:
        shutil.rmtree(path)


def publish(directory: Path, target: Path) -> Path:
    """Move a complete directory (on the same file system) to `target`, replacing what is there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        shutil.rmtree(target)
    return directory.rename(target)


def disk_error(error: OSError) -> str:
    """Return a sentence for an error of the disk that holds the cache."""
    return f"{error.strerror or error}; {environment.HOME} chooses another place"


def check_recorded(url: str, sha256: str) -> None:
    """Compare with the hash recorded when `url` was first used, or record it now.

    Raises:
        SourceError: The content behind the address has changed since.
    """
    path = home() / "checksums.json"
    with locked("checksums"):
        known = json.loads(path.read_text()) if path.exists() else {}
        if known.setdefault(url, sha256) != sha256:
            raise SourceError(
                f"its SHA-256 is {sha256}, but was {known[url]} at first use; if the change is right, "
                f"remove the address from {path}"
            )
        partial = path.with_suffix(".part")
        partial.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n")
        partial.replace(path)
