"""Unpacking an official archive: the model's own files only, and nothing from an archive that looks wrong."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path, PurePosixPath, PureWindowsPath

from tritonocr_backend.zoo import layout
from tritonocr_backend.zoo.errors import SourceError, UnsafeArchiveError


def unpack(path: Path, directory: Path, *, max_bytes: int) -> None:
    """Write the files of PaddleX's layout that the tar archive holds, at whatever depth, into `directory`.

    Raises:
        UnsafeArchiveError: Some member has a path outside the archive, is no plain file or folder, comes
            twice, or all together they unpack to more than `max_bytes`. Nothing is written then.
        SourceError: It is no (whole) tar archive.
    """
    try:
        with tarfile.open(path, mode="r:") as archive:  # uncompressed only: sizes in the headers are true
            for name, member in _wanted(archive, max_bytes).items():
                content = archive.extractfile(member)
                assert content is not None  # a plain file
                with content, (directory / name).open("wb") as file:
                    shutil.copyfileobj(content, file)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise SourceError(f"it is not a whole tar archive: {error}") from None


def _wanted(archive: tarfile.TarFile, max_bytes: int) -> dict[str, tarfile.TarInfo]:
    wanted: dict[str, tarfile.TarInfo] = {}
    total = 0
    for member in archive:
        _check(member)
        total += member.size
        if total > max_bytes:
            raise UnsafeArchiveError(f"it unpacks to more than the allowed {max_bytes} bytes")
        name = PurePosixPath(member.name).name
        if member.isfile() and name in layout.FILES:
            if name in wanted:
                raise UnsafeArchiveError(f"it holds {name} twice: {wanted[name].name!r} and {member.name!r}")
            wanted[name] = member
    return wanted


def _check(member: tarfile.TarInfo) -> None:
    path = PureWindowsPath(member.name)  # knows both separators, and drives
    if path.drive or path.root or ".." in path.parts:
        raise UnsafeArchiveError(f"it would write to {member.name!r}, outside its own directory")
    if not (member.isfile() or member.isdir()):
        raise UnsafeArchiveError(f"{member.name!r} in it is a link or a device, not a plain file")
