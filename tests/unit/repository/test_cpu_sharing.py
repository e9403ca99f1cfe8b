"""Test the numbers of processes and threads for the cores of a CPU."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tritonocr_backend.core.contracts import Role
from tritonocr_backend.repository import cpu_sharing
from tritonocr_backend.repository.cpu_sharing import (
    MAX_STREAMS,
    Share,
    available_cores,
    files_at_a_time,
    share,
    stage_processes,
)

pytestmark = pytest.mark.usefixtures("home")


@pytest.mark.parametrize(
    ("role", "cores", "expected"),
    [
        pytest.param(Role.TEXT_RECOGNITION, 1, Share(1, 1), id="one core"),
        pytest.param(Role.TEXT_RECOGNITION, 2, Share(1, 2), id="lines: one stream per core"),
        pytest.param(Role.TEXTLINE_ORIENTATION, 4, Share(1, 4), id="line orientation: one stream per core"),
        pytest.param(Role.TEXT_RECOGNITION, 64, Share(4, 16), id="lines: at most 16 streams per process"),
        pytest.param(Role.TEXT_DETECTION, 2, Share(1, 2), id="pages: one thread per core"),
        pytest.param(Role.TEXT_DETECTION, 16, Share(4, 4), id="pages: at most four threads per instance"),
        pytest.param(Role.DOC_UNWARPING, 16, Share(4, 4), id="unwarping: at most four threads per instance"),
        pytest.param(Role.DOC_ORIENTATION, 16, Share(1, 16), id="orientation: one instance with all cores"),
    ],
)
def test_share_by_role_and_cores(role: Role, cores: int, expected: Share) -> None:
    assert share(role, cores) == expected


def test_stated_instances_share_the_cores() -> None:
    assert share(Role.TEXT_RECOGNITION, 8, instances=4) == Share(4, 2)
    assert share(Role.TEXT_RECOGNITION, 2, instances=3) == Share(3, 1)


@given(st.sampled_from(list(Role)), st.integers(1, 512))
def test_a_network_never_uses_more_threads_than_cores(role: Role, cores: int) -> None:
    result = share(role, cores)
    assert 1 <= result.instances * result.threads <= cores


@pytest.mark.parametrize(("cores", "files"), [(1, 4), (2, 4), (4, 8), (64, 64)])
def test_files_at_a_time_are_twice_the_cores_between_4_and_64(cores: int, files: int) -> None:
    assert files_at_a_time(cores) == files


@pytest.mark.parametrize(
    ("limit", "cores"),
    [
        pytest.param("max 100000", 6, id="no limit"),
        pytest.param("200000 100000", 2, id="two cores"),
        pytest.param("250000 100000", 3, id="two and a half cores, rounded up"),
        pytest.param("50000 100000", 1, id="half a core"),
        pytest.param("900000 100000", 6, id="more than the affinity"),
        pytest.param(None, 6, id="no container"),
    ],
)
def test_available_cores_respect_the_limit_of_the_container(
    limit: str | None, cores: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(6)))
    monkeypatch.setattr(cpu_sharing, "_CGROUP_LIMIT", tmp_path / "cpu.max")
    if limit:
        (tmp_path / "cpu.max").write_text(limit + "\n")
    assert available_cores() == cores


@pytest.mark.parametrize(
    ("cores", "postprocess", "crop", "reason"),
    [
        (1, 1, 2, "the smallest machine"),
        (8, 1, 2, "one process keeps up with eight cores"),
        (9, 2, 2, "the ninth core needs a second process"),
        (64, 8, 8, "a large machine"),
    ],
)
def test_processes_per_stage_by_cores(cores: int, postprocess: int, crop: int, reason: str) -> None:
    assert stage_processes("text_detection_postprocess", cores) == postprocess, reason
    assert stage_processes("text_recognition_decode", cores) == postprocess, reason
    assert stage_processes("text_crop", cores) == crop, reason


# CPU seconds per page and model, seconds of a page read alone: docs/scaling.md and docs/performance.md.
CPU_S = {"text_crop": 0.035, "text_detection_postprocess": 0.0195, "text_recognition_decode": 0.0033}
NETWORK_S = {
    Role.TEXT_RECOGNITION: 0.488,
    Role.TEXTLINE_ORIENTATION: 0.228,
    Role.DOC_UNWARPING: 0.164,
    Role.TEXT_DETECTION: 0.095,
    Role.DOC_ORIENTATION: 0.006,
}
ALONE_S, ALL_S = 0.46, 0.721


@pytest.mark.parametrize("cores", [2, 4, 8, 16, 32, 64])
def test_no_process_limits_a_machine(cores: int) -> None:
    """Each model can read as many pages per second as all cores together, with the measured demands."""
    pages_per_s = cores / ALL_S
    for stage, seconds in CPU_S.items():
        assert stage_processes(stage, cores) / seconds > pages_per_s, stage
    for role, seconds in NETWORK_S.items():
        assert share(role, cores).instances * share(role, cores).threads / seconds > pages_per_s, role
        assert role is Role.DOC_ORIENTATION or share(role, cores).threads <= MAX_STREAMS, role
    assert files_at_a_time(cores) / ALONE_S > pages_per_s
