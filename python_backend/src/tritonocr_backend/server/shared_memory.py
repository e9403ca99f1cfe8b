"""A server's part of /dev/shm, through which Triton and its Python processes exchange tensors.

Each start of a server has a random name. The names of all its files in /dev/shm begin with that name. All
processes of the server inherit a lock on `<name>.lock`, which shows that one of them is alive. Files of a
server without a live process were left behind by a SIGKILL, and the next server that starts removes them.
Process ids are no substitute: containers can share /dev/shm without sharing process ids.

Every user can create files in /dev/shm. So only regular files of this user are locked or removed, names
are compared and never used as patterns, and what cannot be removed is left there.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from tritonocr_backend.core.errors import ServerError

DIRECTORY = Path("/dev/shm")  # noqa: S108 (where shm_open puts its files)
INSTANCE_BYTES = 1 << 20
"""Shared memory that Triton reserves for each model instance at start."""
FIRST_PAGE_BYTES = 48 << 20
"""Shared memory that a small page needs; with less no page can be read."""
RECOMMENDED_BYTES = 1 << 30
"""Enough for several scans at once, or for one of the largest pages (measured in docs/reliability.md)."""
REMEDY = (
    "give a container --shm-size=2g, a Kubernetes pod an emptyDir of medium Memory there, "
    "or any other machine: mount -o remount,size=2g /dev/shm"
)

_PREFIX, _LOCK = "tritonocr_", ".lock"
_LOCK_NAME = re.compile(r"tritonocr_[a-z0-9_]{8}\.lock")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Claim:
    """A name in shared memory that belongs to one start of a server.

    Attributes:
        name: beginning of the names of the server's files.
        lock: file descriptor of the lock, which the server's processes inherit.
    """

    name: str
    lock: int

    @property
    def prefix(self) -> str:
        """Beginning of the names of the server's regions."""
        return f"{self.name}_"

    def release(self) -> None:
        """Remove the files and give up the name; call this after the server's processes have ended."""
        remove(self.name)
        os.close(self.lock)


def claim() -> Claim:
    """Remove the files of dead servers, and take a new name."""
    sweep()
    while True:
        descriptor, path = tempfile.mkstemp(prefix=_PREFIX, suffix=_LOCK, dir=DIRECTORY)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if Path(path).exists():  # otherwise the sweep of another server has just removed it
            return Claim(Path(path).name.removesuffix(_LOCK), descriptor)
        os.close(descriptor)


def remove(name: str) -> None:
    """Remove the files of a server that has no process any more."""
    for entry in _own_files():
        if entry.name.startswith(f"{name}_"):
            _unlink(entry.path)
    _unlink(DIRECTORY / f"{name}{_LOCK}")


def sweep() -> None:
    """Remove this user's files of servers that have no process any more."""
    for entry in _own_files():
        if _LOCK_NAME.fullmatch(entry.name):
            with contextlib.suppress(OSError), _locked(entry.path):
                remove(entry.name.removesuffix(_LOCK))


def _own_files() -> list[os.DirEntry[str]]:
    """Return the regular files of this user in shared memory; links and folders are left out."""
    with os.scandir(DIRECTORY) as entries:
        return [entry for entry in entries if _is_own_file(entry)]


def _is_own_file(entry: os.DirEntry[str]) -> bool:
    with contextlib.suppress(OSError):  # the file has just been removed
        return (
            entry.is_file(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_uid == os.geteuid()
        )
    return False


def _unlink(path: str | Path) -> None:
    with contextlib.suppress(OSError):
        Path(path).unlink()


@contextlib.contextmanager
def _locked(path: str) -> Iterator[None]:
    """Hold the lock of a file.

    Raises:
        OSError: another process holds the lock, or the file is gone.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def check_room(repository: Path) -> None:
    """Check that shared memory has enough room for the models of a repository.

    Raises:
        ServerError: there is too little room to start the models and to read a page.
    """
    if not DIRECTORY.is_dir():
        raise ServerError(f"{DIRECTORY} is missing; Triton's processes share memory through it: {REMEDY}")
    status = os.statvfs(DIRECTORY)
    free = status.f_bavail * status.f_frsize
    count = instance_count(repository)
    needed = count * INSTANCE_BYTES + FIRST_PAGE_BYTES
    if free < needed:
        raise ServerError(
            f"{DIRECTORY} has {_mib(free)} free, {count} model instances need at least {_mib(needed)}: "
            f"{REMEDY}"
        )
    if free < RECOMMENDED_BYTES:
        _log.warning(
            "%s has %s free; large pages, or many at once, may be refused for lack of it: %s",
            DIRECTORY,
            _mib(free),
            REMEDY,
        )


def instance_count(repository: Path) -> int:
    """Return the number of processes in which the models of a repository run."""
    configs = (path.read_text(encoding="utf-8") for path in repository.glob("*/config.pbtxt"))
    parsed = (text_format.Parse(text, model_config_pb2.ModelConfig()) for text in configs)
    return sum(max(1, sum(group.count for group in config.instance_group)) for config in parsed)


def _mib(size_bytes: int) -> str:
    return f"{size_bytes >> 20} MiB"
