"""Where the real images are, for every test."""

import os
from pathlib import Path

import pytest

CORPUS = Path(__file__).parents[2] / "shared" / "corpus"


@pytest.fixture(scope="session")
def corpus() -> Path:
    """Real images with ground truth and PaddleX's recorded answers."""
    if not CORPUS.is_dir():
        message = f"the corpus of real images is not at {CORPUS}"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(message)
    return CORPUS
