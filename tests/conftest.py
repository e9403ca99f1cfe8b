"""Fixtures of all tests: Ctrl-C for child processes, and the real images."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from beside_checkout import shared

# A suite in a shell's background is started with Ctrl-C ignored, which commands that it starts would inherit.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def corpus() -> Path:
    """Real images with ground truth and PaddleX's recorded answers."""
    return shared("corpus")


@pytest.fixture(scope="session", autouse=True)
def _state_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the gateways' job stores of this run apart from other gateways on the machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield
