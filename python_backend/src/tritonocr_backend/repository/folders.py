"""The folders of a model repository, which a running server can read at any time.

A folder is complete before it gets its name.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from tritonocr_backend.core.network_metadata import METADATA_FILE
from tritonocr_backend.zoo.errors import ModelFormatError


def is_network(path: Path) -> bool:
    """Return whether TritonOCR wrote this model folder. Such a folder contains the network's metadata."""
    return not path.is_symlink() and (path / "1" / METADATA_FILE).is_file()


def check_replaceable(repository: Path, name: str) -> None:
    """Check that a folder of this name does not exist, or that TritonOCR wrote it.

    Raises:
        ModelFormatError: the folder exists, and TritonOCR did not write it.
    """
    path = repository / name
    if path.exists() and not is_network(path):
        raise ModelFormatError(
            f"{path} was not written by TritonOCR and is not replaced; use another name or repository"
        )


class ModelFolder:
    """A model folder that appears in the repository only after it is complete."""

    def __init__(self, repository: Path, name: str) -> None:
        self._target = repository / name
        # Beside the repository: inside it, Triton would read the folder as a model.
        self._temporary = Path(tempfile.mkdtemp(dir=repository.parent, prefix=f".{repository.name}-"))

    def __enter__(self) -> Path:
        return self._temporary

    def __exit__(self, error_class: type[BaseException] | None, *rest: object) -> None:
        if error_class is None:
            shutil.rmtree(self._target, ignore_errors=True)
            self._temporary.chmod(0o755)
            self._temporary.replace(self._target)
        else:
            shutil.rmtree(self._temporary, ignore_errors=True)
