"""Test downloads from a local HTTP server that fails in several ways."""

from pathlib import Path

import pytest
from file_server import FileServer

from tritonocr_backend.zoo.download import download
from tritonocr_backend.zoo.errors import SourceError

CONTENT = bytes(range(256)) * 4000


class Progress:
    """Record the progress calls of a download."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, int | None]] = []

    def __call__(self, received_bytes: int, total_bytes: int | None) -> None:
        self.calls.append((received_bytes, total_bytes))


def _download(url: str, path: Path, max_bytes: int = len(CONTENT)) -> Progress:
    progress = Progress()
    download(url, path, max_bytes=max_bytes, progress=progress)
    return progress


def test_a_complete_download_reports_its_progress(file_server: FileServer, tmp_path: Path) -> None:
    progress = _download(file_server.add("/a.tar", CONTENT), tmp_path / "a.tar")
    assert (tmp_path / "a.tar").read_bytes() == CONTENT
    assert progress.calls[-1] == (len(CONTENT), len(CONTENT))
    assert progress.calls == sorted(progress.calls)


def test_a_dropped_connection_is_resumed(file_server: FileServer, tmp_path: Path) -> None:
    file_server.cuts.extend([100_000, 200_000])
    _download(file_server.add("/a.tar", CONTENT), tmp_path / "a.tar")
    assert (tmp_path / "a.tar").read_bytes() == CONTENT
    assert file_server.ranges == [None, "bytes=100000-", "bytes=300000-"]


def test_a_second_download_resumes_the_first(file_server: FileServer, tmp_path: Path) -> None:
    url = file_server.add("/a.tar", CONTENT)
    file_server.cuts.extend([1000] * 4)  # one per attempt
    with pytest.raises(SourceError, match="RemoteProtocolError"):
        _download(url, tmp_path / "a.tar")
    _download(url, tmp_path / "a.tar")
    assert (tmp_path / "a.tar").read_bytes() == CONTENT
    assert file_server.ranges[-1] == "bytes=4000-"


def test_a_changed_file_is_downloaded_from_the_start(file_server: FileServer, tmp_path: Path) -> None:
    url = file_server.add("/a.tar", CONTENT)
    file_server.cuts.extend([1000] * 4)
    with pytest.raises(SourceError):
        _download(url, tmp_path / "a.tar")
    file_server.add("/a.tar", CONTENT[::-1])
    _download(url, tmp_path / "a.tar")
    assert (tmp_path / "a.tar").read_bytes() == CONTENT[::-1]


def test_a_complete_local_file_is_downloaded_again(file_server: FileServer, tmp_path: Path) -> None:
    url = file_server.add("/a.tar", CONTENT)
    _download(url, tmp_path / "a.tar")
    _download(url, tmp_path / "a.tar")  # the range starts at the end of the file: status 416
    assert (tmp_path / "a.tar").read_bytes() == CONTENT


def test_a_busy_server_is_retried(file_server: FileServer, tmp_path: Path) -> None:
    file_server.statuses.extend([503, 429])
    _download(file_server.add("/a.tar", CONTENT), tmp_path / "a.tar")
    assert (tmp_path / "a.tar").read_bytes() == CONTENT


def test_a_missing_file_is_not_retried(file_server: FileServer, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="the server answered 404 Not Found"):
        _download(file_server.url("/none.tar"), tmp_path / "a.tar")
    assert len(file_server.ranges) == 1


@pytest.mark.parametrize(
    ("states_length", "message"),
    [(True, "the file has 1024000 bytes, the limit is 1000"), (False, "larger than the limit of 1000 bytes")],
)
def test_a_file_over_the_size_limit_is_rejected(
    states_length: bool, message: str, file_server: FileServer, tmp_path: Path
) -> None:
    file_server.states_length = states_length
    with pytest.raises(SourceError, match=message):
        _download(file_server.add("/a.tar", CONTENT), tmp_path / "a.tar", max_bytes=1000)


def test_an_unreachable_server_is_reported_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"ConnectError: .*refused"):
        _download("http://127.0.0.1:9/a.tar", tmp_path / "a.tar")  # no server listens on this port
