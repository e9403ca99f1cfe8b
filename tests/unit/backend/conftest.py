"""Triton's Python API for modules that import it; weights for tests that run the default networks."""

from pathlib import Path

import pb_utils_stand_in
import pytest

from tritonocr_backend.settings import DEFAULT_NETWORKS
from tritonocr_backend.zoo.fetch import fetch_model
from tritonocr_backend.zoo.network_config import ServingSettings
from tritonocr_backend.zoo.repository import build_repository

pb_utils_stand_in.install()


@pytest.fixture(scope="session")
def default_repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model repository with the default networks, to be run in f32."""
    models = {name: fetch_model(name) for name in DEFAULT_NETWORKS.values()}
    target = tmp_path_factory.mktemp("default") / "repository"
    return build_repository(target, models, serving=ServingSettings(precision="f32"))
