"""Unpack the model files of an official archive; reject unsafe archives."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path, PurePosixPath, PureWindowsPath

from tritonocr_backend.zoo import layout
from tritonocr_backend.zoo.errors import SourceError, UnsafeArchiveError


def unpack(path: Path, directory: Path, *, max_bytes: int) -> None:
    """Write the model files of a tar archive into `directory`.

    Only files of PaddleX's layout are written, from any folder of the archive.

    Args:
        path: the tar archive, uncompressed.
        directory: an existing folder for the files.
        max_bytes: largest total size of the archive's members in bytes.

    Raises:
        UnsafeArchiveError: a member has a path outside the archive, is neither a file nor a folder,
            or exists twice; or the members are larger than `max_bytes`. Nothing is written.
        SourceError: the file is not a complete tar archive.
    """
    try:
        with tarfile.open(path, mode="r:") as archive:  # uncompressed: the sizes in the headers are correct
            for name, member in _wanted(archive, max_bytes).items():
                content = archive.extractfile(member)
                assert content is not None  # a plain file
                with content, (directory / name).open("wb") as file:
                    shutil.copyfileobj(content, file)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise SourceError(f"the file is not a complete tar archive: {error}") from None


def _wanted(archive: tarfile.TarFile, max_bytes: int) -> dict[str, tarfile.TarInfo]:
    wanted: dict[str, tarfile.TarInfo] = {}
    total = 0
    for member in archive:
        _check(member)
        total += member.size
        if total > max_bytes:
            raise UnsafeArchiveError(f"the archive unpacks to more than the allowed {max_bytes} bytes")
        name = PurePosixPath(member.name).name
        if member.isfile() and name in layout.FILES:
            if name in wanted:
                raise UnsafeArchiveError(
                    f"the archive contains {name} twice: {wanted[name].name!r} and {member.name!r}"
                )
            wanted[name] = member
    return wanted


def _check(member: tarfile.TarInfo) -> None:
    path = PureWindowsPath(member.name)  # recognises both separators, and drive letters
    if path.drive or path.root or ".." in path.parts:
        raise UnsafeArchiveError(f"the archive member {member.name!r} is outside the archive's directory")
    if not (member.isfile() or member.isdir()):
        raise UnsafeArchiveError(f"the archive member {member.name!r} is a link or a device, expected a file")
