"""The tensor tables of model_repository/README.md agree with the config.pbtxt files."""

import re
from collections.abc import Mapping

import pytest
from tritonclient.grpc.model_config_pb2 import DataType, ModelConfig

from tritonocr_backend.core.contracts import ADAPTER_MODELS, LINE_BATCHING, Role
from tritonocr_backend.core.settings import DEFAULT_NETWORKS
from tritonocr_backend.repository.build import source_repository

REPOSITORY = source_repository()
MAIN = (REPOSITORY.parent / "README.md").read_text("utf-8")
MODELS = (REPOSITORY / "README.md").read_text("utf-8")
ROW = re.compile(r"^\| (→|←) `(\w+)` \| (\w+) \| \[(.*?)\] \| (.+) \|$", re.MULTILINE)
DESCRIBED = [
    *(name for name in DEFAULT_NETWORKS.values()),
    "text_detection_postprocess",
    "text_crop",
    "text_recognition_decode",
    LINE_BATCHING,
    *ADAPTER_MODELS,
]

Rows = list[tuple[str, str, str, list[int]]]


def stated(text: str) -> Rows:
    """Direction, name, type and dims of a table's rows; a letter in a shape is any number."""
    return [
        (arrow, name, kind, [int(dim) if re.fullmatch(r"-?\d+", dim) else -1 for dim in dims.split(", ")])
        for arrow, name, kind, dims, _ in ROW.findall(text)
    ]


def configured(config: ModelConfig) -> Rows:
    batch = [-1] if config.max_batch_size else []
    return [
        (arrow, tensor.name, DataType.Name(tensor.data_type).removeprefix("TYPE_"), [*batch, *tensor.dims])
        for arrow, tensors in (("→", config.input), ("←", config.output))
        for tensor in tensors
    ]


def section(name: str) -> str:
    """Return the section of a model."""
    (found,) = re.findall(rf"^### {re.escape(name)}\n(.*?)(?=^#|\Z)", MODELS, re.MULTILINE | re.DOTALL)
    return str(found)


def pipeline_section() -> str:
    """Return the text between the heading of `ocr` and the next heading."""
    (found,) = re.findall(r"^## `ocr` and `ocr_stream`\n(.*?)(?=^#|\Z)", MODELS, re.MULTILINE | re.DOTALL)
    return str(found)


def test_the_table_of_ocr_has_its_tensors(configs: Mapping[str, ModelConfig]) -> None:
    assert stated(pipeline_section()) == configured(configs["ocr"])


@pytest.mark.parametrize("name", DESCRIBED)
def test_every_other_model_has_its_tensors(name: str, configs: Mapping[str, ModelConfig]) -> None:
    assert stated(section(name)) == configured(configs[name])


def test_every_model_is_described(configs: Mapping[str, ModelConfig]) -> None:
    assert {*DESCRIBED, "ocr", "ocr_stream"} == set(configs)


@pytest.mark.parametrize("role", Role)
def test_a_networks_section_names_its_role(role: Role) -> None:
    assert f"(role `{role.value}`)" in section(DEFAULT_NETWORKS[role])


@pytest.mark.parametrize("text", [pytest.param(MAIN, id="main"), pytest.param(MODELS, id="models")])
def test_the_picture_shows_every_step(text: str, configs: Mapping[str, ModelConfig]) -> None:
    (picture,) = re.findall(r"```mermaid\n(.*?)```", text, re.DOTALL)
    assert [
        name
        for name in configs
        if name not in ("ocr_stream", LINE_BATCHING, *ADAPTER_MODELS) and name not in picture
    ] == []
