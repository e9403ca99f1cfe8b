"""Each test of the zoo has an empty model cache."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _empty_cache(home: Path) -> None: ...
