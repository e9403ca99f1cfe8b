"""Downloads over a real, misbehaving HTTP server."""

from pathlib import Path

import pytest
from file_server import FileServer

from tritonocr_backend.zoo.download import download
from tritonocr_backend.zoo.errors import SourceError

CONTENT = bytes(range(256)) * 4000


class Progress:
    """Records what a download says of itself."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, int | None]] = []

    def __call__(self, received_bytes: int, total_bytes: int | None) -> None:
        self.calls.append((received_bytes, total_bytes))


def _download(url: str, path: Path, max_bytes: int = len(CONTENT)) -> Progress:
    progress = Progress()
    download(url, path, max_bytes=max_bytes, progress=progress)
    return progress


def test_a_file_arrives_whole_and_says_how_far_it_is(file_server: FileServer, tmp_path: Path) -> None:
    progress = _download(file_server.add("/a.tar", CONTENT), tmp_path / "a.tar")
    assert (tmp_path / "a.tar").read_bytes() == CONTENT
    assert progress.calls[-1] == (len(CONTENT), len(CONTENT))
    assert progress.calls == sorted(progress.calls)


def test_a_dropped_connection_is_continued_where_it_broke(file_server: FileServer, tmp_path: Path) -> None:
    file_server.cuts.extend([100_000, 200_000])
    _download(file_server.add("/a.tar", CONTENT), tmp_path / "a.tar")
    assert (tmp_path / "a.tar").read_bytes() == CONTENT
    assert file_server.ranges == [None, "bytes=100000-", "bytes=300000-"]


def test_a_later_call_continues_what_an_earlier_one_left(file_server: FileServer, tmp_path: Path) -> None:
    url = file_server.add("/a.tar", CONTENT)
    file_server.cuts.extend([1000] * 4)  # as many as there are attempts
    with pytest.raises(SourceError, match="RemoteProtocolError"):
        _download(url, tmp_path / "a.tar")
    _download(url, tmp_path / "a.tar")
    assert (tmp_path / "a.tar").read_bytes() == CONTENT
    assert file_server.ranges[-1] == "bytes=4000-"


def test_a_file_that_changed_meanwhile_is_begun_again(file_server: FileServer, tmp_path: Path) -> None:
    url = file_server.add("/a.tar", CONTENT)
    file_server.cuts.extend([1000] * 4)
    with pytest.raises(SourceError):
        _download(url, tmp_path / "a.tar")
    file_server.add("/a.tar", CONTENT[::-1])
    _download(url, tmp_path / "a.tar")
    assert (tmp_path / "a.tar").read_bytes() == CONTENT[::-1]


def test_a_part_longer_than_the_file_is_begun_again(file_server: FileServer, tmp_path: Path) -> None:
    url = file_server.add("/a.tar", CONTENT)
    _download(url, tmp_path / "a.tar")
    _download(url, tmp_path / "a.tar")  # continues at the end: status 416
    assert (tmp_path / "a.tar").read_bytes() == CONTENT


def test_a_busy_server_is_asked_again(file_server: FileServer, tmp_path: Path) -> None:
    file_server.statuses.extend([503, 429])
    _download(file_server.add("/a.tar", CONTENT), tmp_path / "a.tar")
    assert (tmp_path / "a.tar").read_bytes() == CONTENT


def test_a_missing_file_is_not_asked_for_twice(file_server: FileServer, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="the server answered 404 Not Found"):
        _download(file_server.url("/none.tar"), tmp_path / "a.tar")
    assert len(file_server.ranges) == 1


@pytest.mark.parametrize(
    ("states_length", "message"),
    [(True, "1024000 bytes are offered, allowed are 1000"), (False, "more than the allowed 1000 bytes")],
)
def test_a_file_over_the_limit_is_refused(
    states_length: bool, message: str, file_server: FileServer, tmp_path: Path
) -> None:
    file_server.states_length = states_length
    with pytest.raises(SourceError, match=message):
        _download(file_server.add("/a.tar", CONTENT), tmp_path / "a.tar", max_bytes=1000)


def test_an_unreachable_server_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"ConnectError: .*refused"):
        _download("http://127.0.0.1:9/a.tar", tmp_path / "a.tar")  # the discard port: nobody listens
