"""What every test needs: Ctrl-C as commands know it, and the real images."""

import os
import signal
from pathlib import Path

import pytest

# A suite in a shell's background is started with Ctrl-C ignored, which commands that it starts would inherit.
signal.signal(signal.SIGINT, signal.default_int_handler)

CORPUS = Path(__file__).parents[2] / "shared" / "corpus"


@pytest.fixture(scope="session")
def corpus() -> Path:
    """Real images with ground truth and PaddleX's recorded answers."""
    if not CORPUS.is_dir():
        message = f"the corpus of real images is not at {CORPUS}"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(message)
    return CORPUS
