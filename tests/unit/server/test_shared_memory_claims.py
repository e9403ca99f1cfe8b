"""Test the claims on names in shared memory, the removal of files, and the check of the free space."""

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
    """Replace /dev/shm by a temporary folder."""
    monkeypatch.setattr(shared_memory, "DIRECTORY", tmp_path)
    return tmp_path


def listed(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def with_region(claim: shared_memory.Claim, directory: Path) -> Path:
    path = directory / f"{claim.prefix}region"
    path.write_bytes(b"tensors")
    return path


class TestClaims:
    def test_claims_are_distinct_and_released_claims_leave_no_files(self, directory: Path) -> None:
        claims = [shared_memory.claim() for _ in range(3)]
        assert len({claim.name for claim in claims}) == 3
        for claim in claims:
            with_region(claim, directory)
            claim.release()
        assert listed(directory) == set()

    def test_files_of_live_servers_and_other_programs_stay(self, directory: Path) -> None:
        unrelated = directory / "tritonocr_region_without_a_lock"
        unrelated.touch()
        living = shared_memory.claim()
        region = with_region(living, directory)
        shared_memory.claim().release()
        assert region.exists()
        living.release()
        assert listed(directory) == {unrelated.name}

    def test_files_are_removed_after_the_last_process_has_ended(self, directory: Path) -> None:
        claim = shared_memory.claim()
        region = with_region(claim, directory)
        child = subprocess.Popen(["sleep", "60"], pass_fds=[claim.lock])
        os.close(claim.lock)  # the parent was killed, but the process of its server still runs
        shared_memory.sweep()
        assert region.exists()
        child.kill()
        child.wait()
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
    def test_folders_and_links_are_kept_without_an_error(
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

    def test_files_of_another_user_are_not_removed(
        self, directory: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        other = shared_memory.claim()
        region = with_region(other, directory)
        os.close(other.lock)  # the server of the other user was killed
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

    def test_enough_space_logs_nothing(self, free: SimpleNamespace, caplog: pytest.LogCaptureFixture) -> None:
        shared_memory.check_room(source_repository())
        assert caplog.text == ""

    def test_little_space_logs_a_warning(
        self, free: SimpleNamespace, caplog: pytest.LogCaptureFixture
    ) -> None:
        free.f_bavail = GIB // 2
        with caplog.at_level(logging.WARNING):
            shared_memory.check_room(source_repository())
        assert "has only 512 MiB free, so requests with large pages" in caplog.text

    def test_too_little_space_is_rejected_with_the_remedy(
        self, free: SimpleNamespace, directory: Path
    ) -> None:
        free.f_bavail = 16 << 20
        count = shared_memory.instance_count(source_repository())
        with pytest.raises(ServerError) as error:
            shared_memory.check_room(source_repository())
        needed = f"{directory} has 16 MiB free, but {count} model instances need at least {count + 48} MiB: "
        assert str(error.value).startswith(f"{needed}start a container with --shm-size=")

    def test_instance_count_is_the_sum_over_all_models(self, tmp_path: Path) -> None:
        for name, group in {"four": "instance_group [ { count: 4 } ]", "one": ""}.items():
            (tmp_path / name).mkdir()
            (tmp_path / name / "config.pbtxt").write_text(f'name: "{name}"\n{group}')
        assert shared_memory.instance_count(tmp_path) == 5

    def test_missing_directory_is_rejected(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(shared_memory, "DIRECTORY", directory / "missing")
        with pytest.raises(ServerError, match="missing, but Triton's processes need its shared memory"):
            shared_memory.check_room(directory)
