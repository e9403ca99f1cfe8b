"""Names in shared memory: one a server, kept as long as any process of it lives; and room enough for it."""

import logging
import os
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from tritonocr_backend.core.errors import ServerError
from tritonocr_backend.repository.build import source_repository
from tritonocr_backend.server import shared_memory

GIB = 1 << 30


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in the place of /dev/shm."""
    monkeypatch.setattr(shared_memory, "DIRECTORY", tmp_path)
    return tmp_path


def listed(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def with_region(claim: shared_memory.Claim, directory: Path) -> Path:
    path = directory / f"{claim.prefix}region"
    path.write_bytes(b"tensors")
    return path


class TestClaims:
    def test_are_distinct_and_leave_nothing(self, directory: Path) -> None:
        claims = [shared_memory.claim() for _ in range(3)]
        assert len({claim.name for claim in claims}) == 3
        for claim in claims:
            with_region(claim, directory)
            claim.release()
        assert listed(directory) == set()

    def test_leave_those_of_the_living_and_strangers_files(self, directory: Path) -> None:
        stranger = directory / "tritonocr_region_without_a_lock"
        stranger.touch()
        living = shared_memory.claim()
        region = with_region(living, directory)
        shared_memory.claim().release()
        assert region.exists()
        living.release()
        assert listed(directory) == {stranger.name}

    def test_of_the_dead_go_when_the_last_process_has_gone(self, directory: Path) -> None:
        claim = shared_memory.claim()
        region = with_region(claim, directory)
        heir = subprocess.Popen(["sleep", "60"], pass_fds=[claim.lock])
        os.close(claim.lock)  # the owner was killed; its server still runs
        shared_memory.sweep()
        assert region.exists()
        heir.kill()
        heir.wait()
        shared_memory.sweep()
        assert listed(directory) == set()

    @pytest.mark.parametrize("name", ["tritonocr_*.lock", "tritonocr_[a-z]*.lock", "tritonocr_????????.lock"])
    def test_a_name_with_glob_characters_removes_no_region_of_a_live_server(
        self, name: str, directory: Path
    ) -> None:
        living = shared_memory.claim()
        region = with_region(living, directory)
        (directory / name).touch()
        shared_memory.sweep()
        assert region.exists()
        assert (directory / f"{living.name}.lock").exists()

    @pytest.mark.parametrize("kind", ["folder", "link to a folder", "link to a file"])
    def test_what_cannot_be_removed_is_left_and_stops_nothing(
        self, kind: str, directory: Path, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        elsewhere = tmp_path_factory.mktemp("elsewhere")
        (elsewhere / "file").touch()
        claim = shared_memory.claim()
        obstacle = directory / f"{claim.prefix}d"
        if kind == "folder":
            obstacle.mkdir()
        else:
            obstacle.symlink_to(elsewhere if "folder" in kind else elsewhere / "file")
        claim.release()
        shared_memory.claim().release()
        assert listed(directory) == {obstacle.name}
        assert (elsewhere / "file").exists()

    def test_files_of_another_user_are_neither_locked_nor_removed(
        self, directory: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        theirs = shared_memory.claim()
        region = with_region(theirs, directory)
        os.close(theirs.lock)  # their server has been killed
        monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
        shared_memory.sweep()
        assert region.exists()
        monkeypatch.undo()


class TestRoom:
    @pytest.fixture
    def free(self, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
        status = SimpleNamespace(f_bavail=4 * GIB, f_frsize=1)
        monkeypatch.setattr(os, "statvfs", lambda path: status)
        return status

    def test_enough_is_not_mentioned(self, free: SimpleNamespace, caplog: pytest.LogCaptureFixture) -> None:
        shared_memory.check_room(source_repository())
        assert caplog.text == ""

    def test_little_is_a_warning(self, free: SimpleNamespace, caplog: pytest.LogCaptureFixture) -> None:
        free.f_bavail = GIB // 2
        with caplog.at_level(logging.WARNING):
            shared_memory.check_room(source_repository())
        assert "has 512 MiB free; large pages" in caplog.text

    def test_too_little_is_refused_with_the_remedy(self, free: SimpleNamespace, directory: Path) -> None:
        free.f_bavail = 16 << 20
        count = shared_memory.instance_count(source_repository())
        with pytest.raises(ServerError) as error:
            shared_memory.check_room(source_repository())
        needed = f"{directory} has 16 MiB free, {count} model instances need at least {count + 48} MiB: "
        assert str(error.value).startswith(f"{needed}give a container --shm-size=")

    def test_instances_are_those_of_all_models(self, tmp_path: Path) -> None:
        for name, group in {"four": "instance_group [ { count: 4 } ]", "one": ""}.items():
            (tmp_path / name).mkdir()
            (tmp_path / name / "config.pbtxt").write_text(f'name: "{name}"\n{group}')
        assert shared_memory.instance_count(tmp_path) == 5

    def test_none_at_all_is_refused(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(shared_memory, "DIRECTORY", directory / "missing")
        with pytest.raises(ServerError, match="missing; Triton's processes share memory through it"):
            shared_memory.check_room(directory)
