"""Every config.pbtxt parses, fits the calls of the other models, and describes its code's tensors."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import pytest
from fake_models import FakeModels
from numpy.typing import NDArray
from tritonclient.grpc.model_config_pb2 import DataType, ModelConfig
from tritonclient.utils import np_to_triton_dtype

from tritonocr import OPTIONS
from tritonocr._transport.output_tensors import OUTPUTS
from tritonocr_backend.core.contracts import (
    ADAPTER_MODELS,
    GRID_INPUT_SIZE_PX,
    GRID_OUTPUTS,
    LINE_BATCHING,
    NETWORK_OUTPUTS,
    PIPELINE_MODELS,
    STAGE_OUTPUTS,
    Role,
)
from tritonocr_backend.core.settings import DEFAULT_NETWORKS, default_options
from tritonocr_backend.documents.pages import Page
from tritonocr_backend.pipeline.ocr_pipeline import OcrPipeline
from tritonocr_backend.pipeline.records import PageSettings
from tritonocr_backend.repository import network_config as zoo_network_config
from tritonocr_backend.repository.build import source_repository
from tritonocr_backend.repository.network_config import network_config
from tritonocr_backend.repository.serving_settings import ServingSettings
from tritonocr_backend.triton.output_tensors import ReadPage, output_tensors
from tritonocr_common.option_types import OptionValues

TYPE_OF_KIND = {bool: "TYPE_BOOL", int: "TYPE_INT32", float: "TYPE_FP32", str: "TYPE_STRING"}
MODELS = sorted([*PIPELINE_MODELS, LINE_BATCHING, *ADAPTER_MODELS, *DEFAULT_NETWORKS.values()])

Configs = Mapping[str, ModelConfig]


def signature(tensors: Any) -> dict[str, tuple[str, list[int]]]:
    """Type and dims of each tensor by name."""
    return {tensor.name: (DataType.Name(tensor.data_type), list(tensor.dims)) for tensor in tensors}


def config_type(array: NDArray[Any]) -> str:
    name = np_to_triton_dtype(array.dtype)
    return f"TYPE_{'STRING' if name == 'BYTES' else name}"


def assert_fits(name: str, array: NDArray[Any], expected: tuple[str, Sequence[int]]) -> None:
    data_type, dims = expected
    assert config_type(array) == data_type, name
    assert len(array.shape) == len(dims), name
    assert all(dim in (-1, size) for dim, size in zip(dims, array.shape, strict=True)), (name, array.shape)


class TestEveryModel:
    def test_is_there(self, configs: Configs) -> None:
        assert sorted(configs) == MODELS
        assert sorted(p.parents[1].name for p in source_repository().glob("*/1/model.py")) == MODELS

    @pytest.mark.parametrize("name", MODELS)
    def test_is_a_python_model_of_its_folders_name(self, name: str, configs: Configs) -> None:
        config = configs[name]
        assert (config.name, config.backend) == (name, "python")
        assert [group.count > 0 for group in config.instance_group] == [True]

    @pytest.mark.parametrize("name", MODELS)
    def test_model_py_names_a_class_and_stops(self, name: str) -> None:
        lines = (source_repository() / name / "1" / "model.py").read_text("utf-8").splitlines()
        code = [line for line in lines if line and not line.startswith("#")]
        assert len(code) == 2
        assert code[0].startswith("from tritonocr_backend.triton.")
        assert code[0].endswith(" as TritonPythonModel")
        assert code[1] == '__all__ = ["TritonPythonModel"]'


class TestOcr:
    def test_both_doors_have_the_same_tensors(self, configs: Configs) -> None:
        one, stream = configs["ocr"], configs["ocr_stream"]
        assert list(one.input) == list(stream.input)
        assert list(one.output) == list(stream.output)

    def test_one_of_them_is_decoupled(self, configs: Configs) -> None:
        decoupled = {name for name in MODELS if configs[name].model_transaction_policy.decoupled}
        assert decoupled == {"ocr_stream"}

    @pytest.mark.parametrize("name", ["ocr", "ocr_stream"])
    def test_a_full_queue_refuses(self, name: str, configs: Configs) -> None:
        assert configs[name].dynamic_batching.default_queue_policy.max_queue_size > 0

    def test_inputs_are_the_document_and_every_option(self, configs: Configs) -> None:
        options = {o.name: (TYPE_OF_KIND[o.kind], [1]) for o in OPTIONS.values()}
        document = {"file": ("TYPE_STRING", [1]), "image": ("TYPE_UINT8", [-1, -1, -1])}
        assert signature(configs["ocr"].input) == {**document, **options}

    def test_every_input_is_optional(self, configs: Configs) -> None:
        assert [tensor.name for tensor in configs["ocr"].input if not tensor.optional] == []

    def test_outputs_are_the_columns(self, configs: Configs) -> None:
        models = FakeModels([[[4, 4], [60, 4], [60, 28], [4, 28]]])
        result = asyncio.run(
            OcrPipeline(models).read(Page(np.zeros((64, 96, 3), np.uint8), (64, 96)), PAGE_SETTINGS)
        )
        page = ReadPage(0, result, b"given", b"flat")
        tensors = output_tensors([page, page], 2, PAGE_SETTINGS.options)
        expected = signature(configs["ocr"].output)
        assert set(tensors) == set(expected)
        for name, tensor in tensors.items():
            assert_fits(name, tensor, expected[name])

    def test_the_clients_table_of_outputs_is_the_servers(self, configs: Configs) -> None:
        theirs = {
            name: (f"TYPE_{output.datatype.replace('BYTES', 'STRING')}", list(output.row_shape))
            for name, output in OUTPUTS.items()
        }
        ours = {name: (kind, dims[1:]) for name, (kind, dims) in signature(configs["ocr"].output).items()}
        assert theirs == ours


PAGE_SETTINGS = PageSettings(
    networks={role: role.value for role in Role},
    options=cast(OptionValues, {**default_options(), "return_word_box": True}),
    grid_input_size=GRID_INPUT_SIZE_PX,
    max_candidates=100,
)


class Watched(FakeModels):
    """Compare the inputs and outputs of every call with the config of the called model."""

    def __init__(self, configs: Configs, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.configs = configs

    async def __call__(self, model: str, inputs: Mapping[str, NDArray[Any]], outputs: Sequence[str]) -> Any:
        config = self.configs[DEFAULT_NETWORKS[Role(model)] if model in list(Role) else model]
        answer = await super().__call__(model, inputs, outputs)
        for tensors, expected in (
            (inputs, signature(config.input)),
            ({name: answer[name] for name in outputs}, signature(config.output)),
        ):
            assert set(tensors) == set(expected), model
            for name, tensor in tensors.items():
                data_type, dims = expected[name]
                batch = [-1] if config.max_batch_size else []
                assert_fits(f"{model}.{name}", tensor, (data_type, [*batch, *dims]))
        return answer


@pytest.mark.parametrize(
    "quads",
    [
        pytest.param(
            [[[4, 4], [60, 4], [60, 28], [4, 28]], [[4, 40], [90, 40], [90, 60], [4, 60]]], id="lines"
        ),
        pytest.param([], id="no lines"),
    ],
)
def test_every_call_of_the_pipeline_fits_the_called_models_config(configs: Configs, quads: list[Any]) -> None:
    models = Watched(configs, quads, together=min(len(quads), 2))
    page = Page(np.zeros((400, 400, 3), np.uint8), (400, 400))
    asyncio.run(OcrPipeline(models).read(page, PAGE_SETTINGS))
    assert len(models.calls) == (9 if quads else 4)


@pytest.mark.parametrize("name", STAGE_OUTPUTS)
def test_a_stages_outputs_are_those_that_the_pipeline_asks_for(name: str, configs: Configs) -> None:
    assert tuple(signature(configs[name].output)) == STAGE_OUTPUTS[name]
    assert configs[name].max_batch_size == 0


@pytest.mark.parametrize("role", Role)
class TestDefaultNetworks:
    def test_in_git_are_what_the_zoo_writes(self, role: Role, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(zoo_network_config, "available_cores", lambda: 2)
        name = DEFAULT_NETWORKS[role]
        text = (source_repository() / name / "config.pbtxt").read_text("utf-8")
        size = GRID_INPUT_SIZE_PX if role is Role.DOC_UNWARPING else None
        assert text == network_config(name, role, ServingSettings(), grid_input_size=size)

    def test_have_their_roles_tensors(self, role: Role, configs: Configs) -> None:
        config = configs[DEFAULT_NETWORKS[role]]
        assert [tensor.name for tensor in config.input] == ["image"]
        expected = GRID_OUTPUTS if role is Role.DOC_UNWARPING else NETWORK_OUTPUTS[role]
        assert tuple(signature(config.output)) == expected

    def test_are_batched_by_triton(self, role: Role, configs: Configs) -> None:
        config = configs[DEFAULT_NETWORKS[role]]
        assert config.max_batch_size >= 1
        assert config.HasField("dynamic_batching")
