"""The folder `shared` beside the checkout: real images, the tutorial and PaddleX's files."""

import os
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


def shared(name: str) -> Path:
    """Return a file or folder of `shared`; without it the test is skipped, and fails in CI."""
    path = SHARED / name
    if not path.exists():
        message = f"this test needs {path}, which is not part of the repository"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message, allow_module_level=True)
    return path
