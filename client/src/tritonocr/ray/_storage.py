"""Files by URI, wherever they are: local, what pyarrow speaks (s3, gs, hdfs), and the rest through fsspec."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from pyarrow import ArrowInvalid, fs

from .._exceptions import InvalidInputError
from .._inputs.content import SUFFIXES, is_document_name

TEMPORARY = "_temporary"


@dataclass(frozen=True, order=True)
class StoredFile:
    """A file as the listing shows it; another size or time is another file.

    Attributes:
        uri: where it is, as it goes into the results.
        size_bytes: its size.
        mtime_ns: when it was changed, in ns since 1970; 0 where the storage does not tell.
    """

    uri: str
    size_bytes: int
    mtime_ns: int


def open_filesystem(uri: str) -> tuple[Any, str]:
    """Return the filesystem of a URI or a local path, and the path in it.

    Raises:
        InvalidInputError: nothing here speaks that scheme, or it wants a package that is not installed.
    """
    if "://" not in uri:
        return fs.LocalFileSystem(), str(Path(uri).absolute())
    try:
        return fs.FileSystem.from_uri(uri)  # type: ignore[no-any-return]
    except ArrowInvalid:
        return _through_fsspec(uri)


def _through_fsspec(uri: str) -> tuple[Any, str]:
    import fsspec

    try:
        filesystem, path = fsspec.core.url_to_fs(uri)
    except (ImportError, ValueError) as error:
        raise InvalidInputError(f"Cannot open {uri!r}: {error}.") from error
    return fs.PyFileSystem(fs.FSSpecHandler(filesystem)), path


def list_files(uri: str, *, recursive: bool) -> Iterator[StoredFile]:
    """List the images and PDFs of a directory, or the one file that a URI names.

    Raises:
        InvalidInputError: there is nothing, or the storage cannot be reached.
    """
    filesystem, path = open_filesystem(uri)
    prefix = uri.split("://")[0] + "://" if "://" in uri else ""
    try:
        found = filesystem.get_file_info(path)
        if found.type is fs.FileType.Directory:
            infos = filesystem.get_file_info(fs.FileSelector(path, recursive=recursive))
            found_files = [info for info in infos if is_document_name(info.base_name)]
        else:
            found_files = [found]
    except OSError as error:
        raise InvalidInputError(f"Cannot list {uri!r}: {error}.") from error
    files = [info for info in found_files if info.type is fs.FileType.File]
    if not files:
        raise InvalidInputError(f"{uri!r} holds no {', '.join(sorted(SUFFIXES))} file.")
    for info in files:
        yield StoredFile(prefix + info.path, info.size, info.mtime_ns or 0)


def read(file: StoredFile) -> bytes:
    """Read a file that was listed before.

    Raises:
        InvalidInputError: it has gone, has changed or cannot be read.
    """
    try:
        filesystem, path = open_filesystem(file.uri)
        with filesystem.open_input_stream(path, compression=None) as stream:
            content: bytes = stream.read()
    except OSError as error:
        raise InvalidInputError(f"Cannot read {file.uri!r}: {error}.") from error
    if len(content) != file.size_bytes:
        raise InvalidInputError(
            f"{file.uri!r} has {len(content)} bytes, but had {file.size_bytes} when it was listed: "
            "start again to read it as it is now."
        )
    return content


class Directory:
    """The output directory: files in it are there whole or not at all.

    Args:
        uri: where it is; it is made.
    """

    def __init__(self, uri: str) -> None:
        # A worker's own directory may be another one.
        self.uri = uri if "://" in uri else str(Path(uri).absolute())
        self._filesystem, self._path = open_filesystem(uri)
        self._filesystem.create_dir(self._path, recursive=True)

    def names(self, folder: str = "") -> list[str]:
        """The names of the files in a folder of it, sorted."""
        selector = fs.FileSelector(f"{self._path}/{folder}".rstrip("/"), allow_not_found=True)
        infos: Iterable[Any] = self._filesystem.get_file_info(selector)
        return sorted(info.base_name for info in infos if info.type is fs.FileType.File)

    def read(self, name: str) -> bytes:
        """The content of a file."""
        with self._filesystem.open_input_stream(f"{self._path}/{name}", compression=None) as stream:
            content: bytes = stream.read()
        return content

    def write(self, name: str, content: bytes) -> None:
        """Write a file so that it appears whole, in place of an earlier one, whatever ends this process."""
        temporary = f"{self._path}/{TEMPORARY}/{uuid.uuid4().hex}"
        self._filesystem.create_dir(f"{self._path}/{TEMPORARY}", recursive=True)
        self._filesystem.create_dir(f"{self._path}/{PurePosixPath(name).parent}", recursive=True)
        with self._filesystem.open_output_stream(temporary, compression=None) as stream:
            stream.write(content)
        self._filesystem.move(temporary, f"{self._path}/{name}")

    def remove_temporary(self) -> None:
        """Remove what writers that were killed left behind."""
        if self._filesystem.get_file_info(f"{self._path}/{TEMPORARY}").type is fs.FileType.Directory:
            self._filesystem.delete_dir(f"{self._path}/{TEMPORARY}")
