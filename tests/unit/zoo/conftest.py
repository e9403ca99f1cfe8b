"""Provide an empty model cache, and a folder of wheels that replaces the package index."""

import os
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _empty_cache(home: Path) -> None: ...


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder, which is the only place where pip looks for wheels."""
    path = tmp_path / "shelf"
    path.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(path))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    return path
