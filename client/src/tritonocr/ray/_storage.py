"""Files by URI: local paths, the filesystems of pyarrow (s3, gs, hdfs), and all others through fsspec."""

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
    """A file of a listing; a file with another size or time counts as another file.

    Attributes:
        uri: the URI, as in the results.
        size_bytes: its size.
        mtime_ns: time of its last change in ns since 1970; 0 if the storage does not report it.
    """

    uri: str
    size_bytes: int
    mtime_ns: int


def open_filesystem(uri: str) -> tuple[Any, str]:
    """Return the filesystem of a URI or a local path, and the path in it.

    Raises:
        InvalidInputError: no filesystem has that scheme, or its package is not installed.
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
    """List the images and PDFs of a directory, or the one file of a URI.

    Raises:
        InvalidInputError: no such file exists, or the storage cannot be reached.
    """
    filesystem, path = open_filesystem(uri)
    prefix = _uri_before_path(uri, path)
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


def _uri_before_path(uri: str, path: str) -> str:
    """Return the scheme of a URI and, if the path in the filesystem lacks it, the host.

    The path in an object store begins with the bucket; the path in hdfs does not contain the host and port.
    A password is left out, because the URI goes into the results.
    """
    scheme, separator, rest = uri.partition("://")
    if not separator:
        return ""
    authority = rest.partition("/")[0]
    user, _, host = authority.rpartition("@")
    if f"{path}/".lstrip("/").startswith(f"{host}/") or ":" in user:
        authority = ""
    return f"{scheme}://{authority}"


def read(file: StoredFile) -> bytes:
    """Read a file that was listed before.

    Raises:
        InvalidInputError: the file is gone, has changed or cannot be read.
    """
    try:
        filesystem, path = open_filesystem(file.uri)
        with filesystem.open_input_stream(path, compression=None) as stream:
            content: bytes = stream.read()
    except OSError as error:
        raise InvalidInputError(f"Cannot read {file.uri!r}: {error}.") from error
    if len(content) != file.size_bytes:
        raise InvalidInputError(
            f"{file.uri!r} has {len(content)} bytes; it had {file.size_bytes} bytes when it was listed. "
            "Start the run again to read the new file."
        )
    return content


class Directory:
    """The output directory; each file in it is complete or absent.

    Args:
        uri: path or URI; the directory is made if absent.
    """

    def __init__(self, uri: str) -> None:
        # A worker's current directory may be another one.
        self.uri = uri if "://" in uri else str(Path(uri).absolute())
        self._filesystem, self._path = open_filesystem(uri)
        self._filesystem.create_dir(self._path, recursive=True)

    def names(self, folder: str = "") -> list[str]:
        """Return the sorted names of the files in a folder of the directory."""
        selector = fs.FileSelector(f"{self._path}/{folder}".rstrip("/"), allow_not_found=True)
        infos: Iterable[Any] = self._filesystem.get_file_info(selector)
        return sorted(info.base_name for info in infos if info.type is fs.FileType.File)

    def read(self, name: str) -> bytes:
        """Return the content of a file."""
        with self._filesystem.open_input_stream(f"{self._path}/{name}", compression=None) as stream:
            content: bytes = stream.read()
        return content

    def write(self, name: str, content: bytes) -> None:
        """Write a file under another name, then move it to its place; an earlier file is replaced."""
        temporary = f"{self._path}/{TEMPORARY}/{uuid.uuid4().hex}"
        self._filesystem.create_dir(f"{self._path}/{TEMPORARY}", recursive=True)
        self._filesystem.create_dir(f"{self._path}/{PurePosixPath(name).parent}", recursive=True)
        with self._filesystem.open_output_stream(temporary, compression=None) as stream:
            stream.write(content)
        self._filesystem.move(temporary, f"{self._path}/{name}")

    def remove_temporary(self) -> None:
        """Remove the temporary files of writers that were killed."""
        if self._filesystem.get_file_info(f"{self._path}/{TEMPORARY}").type is fs.FileType.Directory:
            self._filesystem.delete_dir(f"{self._path}/{TEMPORARY}")
