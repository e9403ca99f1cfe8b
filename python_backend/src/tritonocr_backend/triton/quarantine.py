"""Quarantine: a file is rejected after processes of the server died twice while they read it.

Each process of `ocr` records the files that it reads, by their hash, in a folder of the supervisor. When a
process dies, the supervisor suspects the files that were being read. After the restart, suspects are read one
at a time, so that a second death has one suspect. A suspect that is read without a death is cleared. All
entries expire, and the table is bounded. The servers of one `tritonocr serve` share the table: a file that
killed a process of each of two replicas is rejected by both.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from tritonocr_backend.core.errors import InvalidInputError, ProcessDiedError
from tritonocr_common import environment

SHARED_FOLDER = "quarantine"
"""Name of the part of a supervisor's folder that several servers may share."""
MAX_DEATHS = 2
KEEP_S = 600.0
MAX_ENTRIES = 1000
_DIED = "died"
_CONTENT_INPUTS = ("file", "image")


@dataclass(frozen=True)
class Suspicion:
    """What is known of a suspected file.

    Attributes:
        deaths: how many times a process died while it read the file.
        ends_s: when the entry expires, by the monotonic clock.
    """

    deaths: int
    ends_s: float


class _Folders:
    """The paths below the supervisor's folder."""

    def __init__(self, watch_folder: Path) -> None:
        self.reading, self.shared = watch_folder / "reading", watch_folder / SHARED_FOLDER
        self.table, self.cleared = self.shared / "table.json", self.shared / "cleared"

    def make(self) -> None:
        for folder in (self.reading, self.shared, self.cleared):
            folder.mkdir(exist_ok=True)

    @contextmanager
    def recorded(self, digest: str) -> Iterator[None]:
        """Record that this process reads a file."""
        path = self.reading / f"{os.getpid()}.{digest}"
        path.touch()
        try:
            yield
        except ProcessDiedError:  # this process lives: the supervisor finds the file by the other name
            path.rename(self.reading / f"{_DIED}.{digest}")
            raise
        finally:
            path.unlink(missing_ok=True)

    @contextmanager
    def alone(self, purpose: str) -> Iterator[None]:
        """Wait until no other process or thread is in a block with the same purpose."""
        with (self.shared / f"{purpose}.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def in_flight(self, dead: Collection[int]) -> set[str]:
        """Return the files that were being read when processes died, and forget them."""
        entries = [path.name.partition(".") for path in self.reading.iterdir()]
        for path in self.reading.iterdir():
            path.unlink(missing_ok=True)
        exact = {_DIED, *map(str, dead)}
        return {digest for owner, _, digest in entries if owner in exact} or {
            digest for _, _, digest in entries
        }

    def version(self) -> tuple[int, int]:
        """Return a value that changes with each change of the table."""
        try:
            found = self.table.stat()
        except FileNotFoundError:
            return 0, 0
        return found.st_ino, found.st_mtime_ns

    def suspicions(self) -> dict[str, Suspicion]:
        """Return the entries that have not expired and were not cleared."""
        try:
            entries = json.loads(self.table.read_text())
        except FileNotFoundError:
            return {}
        table = {digest: Suspicion(**entry) for digest, entry in entries.items()}
        return {
            digest: entry
            for digest, entry in table.items()
            if entry.ends_s > time.monotonic() and not (self.cleared / digest).exists()
        }


class ReadingJournal:
    """The side of a process that reads files; it reads the table again after each change."""

    def __init__(self) -> None:
        folder = os.environ.get(environment.WATCH_FOLDER)
        self._folders = _Folders(Path(folder)) if folder else None
        self._suspicions: dict[str, Suspicion] = {}
        self._version = (0, 0)
        if self._folders:
            self._folders.make()

    @property
    def is_active(self) -> bool:
        """Whether a supervisor reads the records."""
        return self._folders is not None

    @contextmanager
    def reading(self, digest: str) -> Iterator[None]:
        """Record that a file is read. A suspect waits until no other suspect is read.

        Args:
            digest: hash of the file by `content_digest`.

        Raises:
            InvalidInputError: the file is in quarantine.
        """
        if self._folders is None:
            yield
            return
        with ExitStack() as stack:
            if self._is_suspect(digest):
                _check(digest, self._suspicions[digest])
                stack.enter_context(self._folders.alone("suspects"))
            # Meanwhile, another request for the same file may have cleared it, or another replica accused it.
            if is_suspect := self._is_suspect(digest):
                _check(digest, self._suspicions[digest])
            with self._folders.recorded(digest):
                yield
            if is_suspect:
                (self._folders.cleared / digest).touch()

    def _is_suspect(self, digest: str) -> bool:
        assert self._folders
        if (version := self._folders.version()) != self._version:
            self._version, self._suspicions = version, self._folders.suspicions()
        suspicion = self._suspicions.get(digest)
        is_current = suspicion is not None and suspicion.ends_s > time.monotonic()
        return is_current and not (self._folders.cleared / digest).exists()


def content_digest(inputs: Mapping[str, NDArray[Any]]) -> str:
    """Return the hash of the file or of the pixels."""
    digest = hashlib.sha256()
    for name in _CONTENT_INPUTS:
        if (content := inputs.get(name)) is not None:
            for part in content.ravel() if content.dtype == object else [content.ravel().data]:
                digest.update(part)
    return digest.hexdigest()


def _check(digest: str, suspicion: Suspicion) -> None:
    if suspicion.deaths >= MAX_DEATHS:
        raise InvalidInputError(
            f"file: processes of the server died {suspicion.deaths} times while they read this file (SHA-256 "
            f"{digest}); the server does not read it again for {suspicion.ends_s - time.monotonic():.0f} s",
            "quarantined",
        )


def accuse(watch_folder: Path, dead: Collection[int]) -> list[str]:
    """Suspect the files that were being read when processes died. Call this before the restart.

    If a dead process read files itself, or reading a file failed because another process died, only those
    files are suspected; else those of all processes. If an earlier suspect is among them, only the suspect
    is: suspects are read one at a time for this reason.

    Args:
        watch_folder: the supervisor's folder.
        dead: ids of the dead processes.

    Returns:
        The hashes of the files that are rejected from now on.
    """
    folders = _Folders(watch_folder)
    folders.make()
    accused = folders.in_flight(dead)
    with folders.alone("table"):
        table = folders.suspicions()
        accused = accused & table.keys() or accused
        ends_s = time.monotonic() + KEEP_S
        for digest in accused:
            table[digest] = Suspicion(table[digest].deaths + 1 if digest in table else 1, ends_s)
        _write(folders, table)
    return [digest for digest in accused if table[digest].deaths >= MAX_DEATHS]


def has_silent_process(watch_folder: Path) -> bool:
    """Return whether reading a file failed because of a process that Triton calls unhealthy.

    A process that died is noticed by itself; another one does not answer.
    """
    return any(_Folders(watch_folder).reading.glob(f"{_DIED}.*"))


def _write(folders: _Folders, table: Mapping[str, Suspicion]) -> None:
    newest = sorted(table.items(), key=lambda item: item[1].ends_s)[-MAX_ENTRIES:]
    for (
        path
    ) in folders.cleared.iterdir():  # first: a process that reads the new table must not see old entries
        with suppress(FileNotFoundError):
            path.unlink()
    new = folders.table.with_suffix(".new")  # a reader never sees half of a table
    new.write_text(json.dumps({digest: asdict(entry) for digest, entry in newest}))
    new.replace(folders.table)
