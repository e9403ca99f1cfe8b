"""Test that archives are unpacked completely, and that unsafe archives write nothing."""

import io
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from bombs import tarred
from hypothesis import given
from hypothesis import strategies as st

from tritonocr_backend.zoo import archive, layout
from tritonocr_backend.zoo.errors import SourceError, UnsafeArchiveError

LIMIT = 1_000_000


def _archive(tmp_path: Path, *infos: tarfile.TarInfo) -> Path:
    path = tmp_path / "archive.tar"
    with tarfile.open(path, "w") as file:
        for info in infos:
            file.addfile(info, io.BytesIO(bytes(info.size)))
    return path


def _member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "", size: int = 4) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, target, size if kind == tarfile.REGTYPE else 0
    return info


GOOD = _member("m_infer/inference.yml")


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        pytest.param(
            _member("../inference.yml"), "is outside the archive's directory", id="parent directory"
        ),
        pytest.param(
            _member("m/../../inference.yml"),
            "is outside the archive's directory",
            id="parent directory after a folder",
        ),
        pytest.param(_member("/etc/inference.yml"), "is outside the archive's directory", id="absolute path"),
        pytest.param(_member("C:\\inference.yml"), "is outside the archive's directory", id="drive letter"),
        pytest.param(_member("m\\..\\..\\x"), "is outside the archive's directory", id="parent, backslashes"),
        pytest.param(_member("m/x", tarfile.SYMTYPE, "/etc/passwd"), "link or a device", id="symbolic link"),
        pytest.param(_member("m/x", tarfile.LNKTYPE, "m_infer/inference.yml"), "link", id="hard link"),
        pytest.param(_member("m/x", tarfile.CHRTYPE), "link or a device", id="character device"),
        pytest.param(_member("m/x", tarfile.FIFOTYPE), "link or a device", id="pipe"),
        pytest.param(
            _member("other/inference.yml"), "inference.yml twice", id="two files with the same name"
        ),
        pytest.param(_member("m/x", size=LIMIT), "more than the allowed 1000000 bytes", id="too large"),
    ],
)
def test_an_unsafe_archive_is_rejected_and_writes_nothing(
    bad: tarfile.TarInfo, message: str, tmp_path: Path
) -> None:
    directory = tmp_path / "out"
    directory.mkdir()
    with pytest.raises(UnsafeArchiveError, match=message):
        archive.unpack(_archive(tmp_path, GOOD, bad), directory, max_bytes=LIMIT)
    assert list(directory.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"<html>not found</html>", "an error page saved as a file"),
        (tarred({"inference.yml": bytes(2000)})[:1500], "cut off in the middle of a file"),
    ],
)
def test_an_incomplete_archive_is_rejected(content: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "archive.tar"
    path.write_bytes(content)
    with pytest.raises(SourceError, match="not a complete tar archive"):
        archive.unpack(path, tmp_path, max_bytes=LIMIT)


@given(
    st.dictionaries(st.sampled_from(sorted(layout.FILES)), st.binary(max_size=2000), min_size=1),
    st.text("ab/"),
)
def test_unpacked_model_files_have_their_original_content(files: dict[str, bytes], folder: str) -> None:
    members = {f"m{folder}/{name}": content for name, content in files.items()}
    with TemporaryDirectory() as temporary:
        path, directory = Path(temporary, "archive.tar"), Path(temporary, "out")
        directory.mkdir()
        path.write_bytes(tarred({**members, "m/README.md": b"not ours"}))
        archive.unpack(path, directory, max_bytes=LIMIT)
        assert {file.name: file.read_bytes() for file in directory.iterdir()} == files
