"""A server's part of /dev/shm, through which Triton and its Python processes hand tensors to each other.

Every server has a name of its own there, with which all its files' names start. A lock on `<name>.lock`,
which all of its processes inherit, says that one of them is alive. What bears the name of a server without
one was left behind by a SIGKILL, and is removed when the next server starts. Process ids would not tell:
containers that share /dev/shm do not share those.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from tritonocr_backend.core.errors import ServerError

DIRECTORY = Path("/dev/shm")  # noqa: S108 (where shm_open puts its files)
INSTANCE_BYTES = 1 << 20
"""What Triton takes for each model instance to begin with."""
FIRST_PAGE_BYTES = 48 << 20
"""What a small page takes on its way through the pipeline; below that nothing can be read."""
RECOMMENDED_BYTES = 1 << 30
"""Enough for several scans at once, or for one of the largest pages (docs/reliability.md has the figures)."""
REMEDY = (
    "give a container --shm-size=2g, a Kubernetes pod an emptyDir of medium Memory there, "
    "or any other machine: mount -o remount,size=2g /dev/shm"
)

_PREFIX, _LOCK = "tritonocr_", ".lock"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Claim:
    """A name in shared memory that one server alone has.

    Attributes:
        name: what the names of its files start with.
        lock: file descriptor of the lock, to be inherited by the server's processes.
    """

    name: str
    lock: int

    @property
    def prefix(self) -> str:
        """What the names of the server's regions start with."""
        return f"{self.name}_"

    def clear(self) -> None:
        """Remove the regions, once the server's processes have ended."""
        _remove_regions(self.name)

    def release(self) -> None:
        """Give the name back, once the server's processes have ended."""
        remove(self.name)
        os.close(self.lock)


def claim() -> Claim:
    """Remove what dead servers left behind, and take a new name."""
    sweep()
    while True:
        descriptor, path = tempfile.mkstemp(prefix=_PREFIX, suffix=_LOCK, dir=DIRECTORY)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if Path(path).exists():  # or else another's sweep came between
            return Claim(Path(path).name.removesuffix(_LOCK), descriptor)
        os.close(descriptor)


def remove(name: str) -> None:
    """Remove all that a server without processes has in shared memory."""
    _remove_regions(name)
    (DIRECTORY / f"{name}{_LOCK}").unlink(missing_ok=True)


def _remove_regions(name: str) -> None:
    for path in DIRECTORY.glob(f"{name}_*"):
        path.unlink(missing_ok=True)


def sweep() -> None:
    """Remove the files of servers none of whose processes is alive; those of other users stay."""
    for path in DIRECTORY.glob(f"{_PREFIX}*{_LOCK}"):
        with contextlib.suppress(OSError), _locked(path):
            remove(path.name.removesuffix(_LOCK))


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock that nobody holds.

    Raises:
        OSError: it is held, gone, or another user's.
    """
    descriptor = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def check_room(repository: Path) -> None:
    """Compare what is free with what a repository's models need.

    Raises:
        ServerError: they could not start, or could not read a page.
    """
    if not DIRECTORY.is_dir():
        raise ServerError(f"{DIRECTORY} is missing, through which Triton's processes share memory: {REMEDY}")
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
    """How many processes the models of a repository run in."""
    configs = (path.read_text(encoding="utf-8") for path in repository.glob("*/config.pbtxt"))
    parsed = (text_format.Parse(text, model_config_pb2.ModelConfig()) for text in configs)
    return sum(max(1, sum(group.count for group in config.instance_group)) for config in parsed)


def _mib(size_bytes: int) -> str:
    return f"{size_bytes >> 20} MiB"
