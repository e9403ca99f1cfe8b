"""The models' `config.pbtxt`, parsed as Triton parses them."""

import pb_utils_stand_in
import pytest
from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import ModelConfig

from tritonocr_backend.repository.build import source_repository

pb_utils_stand_in.install()


@pytest.fixture(scope="session")
def configs() -> dict[str, ModelConfig]:
    """Every model of model_repository/ by the name of its folder."""
    paths = sorted(source_repository().glob("*/config.pbtxt"))
    return {path.parent.name: text_format.Parse(path.read_text("utf-8"), ModelConfig()) for path in paths}
