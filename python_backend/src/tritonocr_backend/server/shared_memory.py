"""Manage the files of a server in /dev/shm, through which Triton and its Python processes exchange tensors.

Each start of a server has a random name. The names of all its files in /dev/shm begin with that name. All
processes of the server inherit a lock on `<name>.lock`. The lock is held as long as one process lives. After
a SIGKILL, the files stay without a live process, and the next server that starts removes them. Process ids
are no substitute for the lock: containers can share /dev/shm without sharing process ids.

Every user can create files in /dev/shm. Therefore only regular files of this user are locked or removed,
names are compared and never used as patterns, and files that cannot be removed stay there.
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

DIRECTORY = Path("/dev/shm")  # noqa: S108 (shm_open creates its files there)
INSTANCE_BYTES = 1 << 20
"""Shared memory in bytes that Triton reserves for each model instance at start."""
FIRST_PAGE_BYTES = 48 << 20
"""Shared memory in bytes that a small page needs."""
RECOMMENDED_BYTES = 1 << 30
"""Shared memory in bytes for several scans at once or for one of the largest pages (docs/reliability.md)."""
REMEDY = (
    "start a container with --shm-size=2g, mount an emptyDir of medium Memory there in a Kubernetes pod, "
    "or run on another machine: mount -o remount,size=2g /dev/shm"
)

_PREFIX, _LOCK = "tritonocr_", ".lock"
_LOCK_NAME = re.compile(r"tritonocr_[a-z0-9_]{8}\.lock")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Claim:
    """A name in shared memory that belongs to one start of a server.

    Attributes:
        name: name prefix of the server's files.
        lock: file descriptor of the lock, which the server's processes inherit.
    """

    name: str
    lock: int

    @property
    def prefix(self) -> str:
        """Return the name prefix of the server's shared memory regions."""
        return f"{self.name}_"

    def release(self) -> None:
        """Remove the files and release the lock. Call this method after all processes have ended."""
        remove(self.name)
        os.close(self.lock)


def claim() -> Claim:
    """Remove the files of dead servers, and claim a new name.

    Raises:
        OSError: /dev/shm cannot be written to.
    """
    sweep()
    while True:
        descriptor, path = tempfile.mkstemp(prefix=_PREFIX, suffix=_LOCK, dir=DIRECTORY)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if Path(path).exists():  # False if the sweep of another server has removed the file
            return Claim(Path(path).name.removesuffix(_LOCK), descriptor)
        os.close(descriptor)


def remove(name: str) -> None:
    """Remove the files of a server that has no live process."""
    for entry in _own_files():
        if entry.name.startswith(f"{name}_"):
            _unlink(entry.path)
    _unlink(DIRECTORY / f"{name}{_LOCK}")


def sweep() -> None:
    """Remove this user's files of all servers that have no live process."""
    for entry in _own_files():
        if _LOCK_NAME.fullmatch(entry.name):
            with contextlib.suppress(OSError), _locked(entry.path):
                remove(entry.name.removesuffix(_LOCK))


def _own_files() -> list[os.DirEntry[str]]:
    """Return the regular files of this user in shared memory, without links and folders."""
    with os.scandir(DIRECTORY) as entries:
        return [entry for entry in entries if _is_own_file(entry)]


def _is_own_file(entry: os.DirEntry[str]) -> bool:
    with contextlib.suppress(OSError):  # the file has been removed since
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
        ServerError: shared memory is missing, or too small to start the models and to read a page.
    """
    if not DIRECTORY.is_dir():
        raise ServerError(f"{DIRECTORY} is missing, but Triton's processes need its shared memory: {REMEDY}")
    status = os.statvfs(DIRECTORY)
    free = status.f_bavail * status.f_frsize
    count = instance_count(repository)
    needed = count * INSTANCE_BYTES + FIRST_PAGE_BYTES
    if free < needed:
        raise ServerError(
            f"{DIRECTORY} has {_mib(free)} free, but {count} model instances need at least {_mib(needed)}: "
            f"{REMEDY}"
        )
    if free < RECOMMENDED_BYTES:
        _log.warning(
            "%s has only %s free, so requests with large pages or many concurrent requests can fail: %s",
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
