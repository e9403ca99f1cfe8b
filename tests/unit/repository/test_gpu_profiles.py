"""Test config.pbtxt, graphs and metadata that `tritonocr repository build` writes for GPUs, without a GPU."""

import json
import re
from pathlib import Path
from typing import Any

import networks
import numpy as np
import onnx
import onnxruntime
import pytest
from google.protobuf import text_format
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from tritonclient.grpc import model_config_pb2
from typer.testing import CliRunner

from tritonocr_backend.cli.repository import app
from tritonocr_backend.core import devices
from tritonocr_backend.core.contracts import (
    IMAGE_SIZES,
    LINE_BATCHING,
    MAX_WIDTH_PX,
    NATIVE_OUTPUTS,
    NETWORK_OUTPUTS,
    PIPELINE_MODELS,
    STRIDE_PX,
    WIDTH_STEP_PX,
    Role,
)
from tritonocr_backend.core.errors import ServerError
from tritonocr_backend.core.settings import DEFAULT_NETWORKS
from tritonocr_backend.engines.fixed_shapes import BATCH_SIZES, MAX_BATCH_WIDTH_PX, largest_batch
from tritonocr_backend.graphs.half_precision import halve
from tritonocr_backend.pipeline.line_reading import MAX_LINES_PER_CALL
from tritonocr_backend.pipeline.text_crop import exact_line_width, line_width
from tritonocr_backend.pipeline.text_detection import to_stride
from tritonocr_backend.repository import pipeline_config
from tritonocr_backend.repository.network_config import SERVING, network_config, tensorrt_profile
from tritonocr_backend.repository.networks import add_network
from tritonocr_backend.repository.profiles import Profile, profile_settings
from tritonocr_backend.repository.serving_settings import ServingSettings
from tritonocr_backend.server.installation import MALLOC
from tritonocr_backend.zoo import inference_config
from tritonocr_backend.zoo.errors import ModelFormatError

pytestmark = pytest.mark.usefixtures("home")

SIZED = (Role.DOC_ORIENTATION, Role.TEXTLINE_ORIENTATION, Role.TEXT_RECOGNITION)
LINES = (Role.TEXTLINE_ORIENTATION, Role.TEXT_RECOGNITION)
GPUS = profile_settings(Profile.gpu, "gpu:0,1")
TENSORRT = profile_settings(Profile.gpu, accelerator="tensorrt")

# The backend rejects a network with any other option. From its source, without `precision_mode`: TensorRT 11
# has no such mode, and the graph states the types.
KNOWN_TO_THE_BACKEND = {
    "max_workspace_size_bytes",
    "trt_engine_cache_enable",
    "trt_engine_cache_path",
    "trt_timing_cache_enable",
    "trt_timing_cache_path",
    "trt_profile_min_shapes",
    "trt_profile_opt_shapes",
    "trt_profile_max_shapes",
}


def parsed(role: Role, serving: ServingSettings, **more: Any) -> Any:
    text = network_config("mine", role, serving, **more)
    return text_format.Parse(text, model_config_pb2.ModelConfig())


def tensorrt_of(config: Any) -> dict[str, str]:
    (accelerator,) = config.optimization.execution_accelerators.gpu_execution_accelerator
    assert accelerator.name == "tensorrt"
    return dict(accelerator.parameters)


@pytest.mark.parametrize("role", Role)
class TestConfig:
    @pytest.mark.parametrize("profile", [Profile.gpu, Profile.gpu_python])
    def test_instance_group_lists_all_gpus(self, profile: Profile, role: Role) -> None:
        config = parsed(role, profile_settings(profile, "gpu:0,2", instances={role.value: 3}))
        (group,) = config.instance_group
        assert (group.kind, list(group.gpus), group.count) == (group.KIND_GPU, [0, 2], 3)

    def test_both_backends_have_the_same_tensors(self, role: Role) -> None:
        ours, native = parsed(role, ServingSettings()), parsed(role, GPUS)
        assert (ours.backend, native.backend) == ("python", "onnxruntime")
        (mine,), (theirs,) = ours.input, native.input
        assert (mine.name, mine.data_type, mine.dims) == (theirs.name, theirs.data_type, theirs.dims)
        assert ours.max_batch_size >= native.max_batch_size, "the python backend batches lines of all widths"
        assert mine.allow_ragged_batch == (role is Role.TEXT_RECOGNITION)
        assert not theirs.allow_ragged_batch
        outputs = [[(o.name, o.data_type) for o in config.output] for config in (ours, native)]
        assert outputs[0] == outputs[1][: len(outputs[0])]
        assert [name for name, _ in outputs[1]] == [*NATIVE_OUTPUTS.get(role, NETWORK_OUTPUTS[role])]

    def test_only_networks_for_lines_delay_a_batch(self, role: Role) -> None:
        gpu = profile_settings(Profile.gpu_python)
        delay_us = parsed(role, gpu).dynamic_batching.max_queue_delay_microseconds
        assert bool(delay_us) == (role in LINES)
        stated = profile_settings(Profile.gpu_python, batch_delay_us=70)
        assert parsed(role, stated).dynamic_batching.max_queue_delay_microseconds == 70 * (role in LINES)
        assert not parsed(role, ServingSettings()).dynamic_batching.max_queue_delay_microseconds

    def test_batches_of_fixed_sizes_are_not_joined(self, role: Role) -> None:
        """Two batches of `line_batching` would give a third size, and a GPU adapts to each size anew."""
        assert parsed(role, GPUS).HasField("dynamic_batching") == (role not in LINES)
        assert SERVING[role].max_batch_size >= max(BATCH_SIZES) or role not in LINES

    def test_tensorrt_runs_only_networks_with_bounded_image_sizes(self, role: Role) -> None:
        accelerators = parsed(role, TENSORRT).optimization.execution_accelerators.gpu_execution_accelerator
        assert len(accelerators) == (role in SIZED)
        assert not parsed(role, GPUS).HasField("optimization")

    def test_cuda_uses_the_heuristic_algorithm_search(self, role: Role) -> None:
        parameters = {key: value.string_value for key, value in parsed(role, GPUS).parameters.items()}
        assert parameters == {"cudnn_conv_algo_search": "1", "arena_extend_strategy": "1"}

    def test_warm_up_requests_are_valid(self, role: Role) -> None:
        config = parsed(role, TENSORRT)
        assert len({warmup.name for warmup in config.model_warmup}) == len(config.model_warmup) > 0
        profile = tensorrt_profile(role)
        for warmup in config.model_warmup:
            dims, expected = list(warmup.inputs["image"].dims), list(config.input[0].dims)
            assert all(known in (-1, size) for size, known in zip(dims, expected, strict=True))
            assert warmup.inputs["image"].data_type == config.input[0].data_type
            assert 1 <= warmup.batch_size <= config.max_batch_size
            if role is Role.TEXT_DETECTION:
                assert not any(side % STRIDE_PX for side in dims[:2])
            if profile:
                shape = (warmup.batch_size, *dims)
                assert all(a <= b <= c for a, b, c in zip(profile.least, shape, profile.most, strict=True))

    def test_cpu_has_no_warm_up_requests(self, role: Role) -> None:
        assert not parsed(role, ServingSettings()).model_warmup


class TestTensorrt:
    @pytest.mark.parametrize(
        ("precision", "element_type"),
        [("f16", TensorProto.FLOAT16), ("f32", TensorProto.FLOAT), ("auto", TensorProto.FLOAT16)],
    )
    def test_computes_in_the_type_of_the_graph(
        self, precision: str, element_type: int, tmp_path: Path
    ) -> None:
        source = tmp_path / "source"
        source.mkdir()
        config = inference_config.compose(Role.TEXT_RECOGNITION, "mine", characters="abc")
        inference_config.save(config, source)
        (source / "inference.onnx").write_bytes(networks.recognition(5))
        serving = profile_settings(Profile.gpu, accelerator="tensorrt", precision=precision)
        add_network(tmp_path, "mine", source, serving)
        graph = onnx.load(tmp_path / "mine" / "1" / "model.onnx").graph
        floats = {TensorProto.FLOAT16, TensorProto.FLOAT}
        weights = {t.data_type for t in graph.initializer if t.data_type in floats}
        assert weights == {element_type}

    @pytest.mark.parametrize("role", SIZED)
    def test_backend_knows_all_options(self, role: Role) -> None:
        options = tensorrt_of(parsed(role, profile_settings(Profile.gpu, accelerator="tensorrt")))
        assert set(options) <= KNOWN_TO_THE_BACKEND
        for size in ("min", "opt", "max"):
            name, _, shape = options[f"trt_profile_{size}_shapes"].partition(":")
            assert (name, len(shape.split("x"))) == ("image", 4)

    @given(
        width=st.integers(1, MAX_WIDTH_PX // WIDTH_STEP_PX).map(lambda steps: steps * WIDTH_STEP_PX),
        batch=st.integers(1, largest_batch(Role.TEXT_RECOGNITION, tensorrt=True)),
    )
    def test_profile_covers_all_batches_of_lines(self, width: int, batch: int) -> None:
        profile = tensorrt_profile(Role.TEXT_RECOGNITION)
        assert profile is not None
        shape = (batch, 48, width, 3)
        assert all(a <= b <= c for a, b, c in zip(profile.least, shape, profile.most, strict=True))

    @pytest.mark.parametrize("role", SIZED)
    def test_batch_is_within_the_profile_and_the_memory(self, role: Role) -> None:
        """TensorRT reserves memory for the largest batch of the largest images."""
        profile = tensorrt_profile(role)
        assert profile is not None
        assert parsed(role, TENSORRT).max_batch_size <= profile.most[0]
        assert profile.most[0] * profile.most[2] <= MAX_BATCH_WIDTH_PX

    def test_batch_holds_all_lines_of_one_call(self) -> None:
        assert all(SERVING[role].max_batch_size >= MAX_LINES_PER_CALL for role in LINES)


class TestOtherHardware:
    def test_each_device_has_an_instance_group_with_its_name(self) -> None:
        serving = profile_settings(Profile.gpu_python, "npu:1,3", instances={"mine": 2})
        groups = parsed(Role.TEXT_RECOGNITION, serving).instance_group
        assert [(group.kind, group.count) for group in groups] == [(group.KIND_CPU, 2) for group in groups]
        arguments = [
            {"model_instance_kind": "CPU", "model_instance_name": f"{group.name}_1"} for group in groups
        ]
        assert [devices.of_instance("npu:1,3", instance).index for instance in arguments] == [1, 3]

    def test_intel_gpu_uses_a_cpu_instance_group(self) -> None:
        config = parsed(Role.TEXT_RECOGNITION, ServingSettings(device="gpu:0", engine="openvino"))
        assert config.instance_group[0].kind == config.instance_group[0].KIND_CPU

    @pytest.mark.parametrize(
        ("profile", "device", "alternatives"),
        [
            pytest.param(Profile.cpu, "gpu:0", "gpu, gpu-python", id="the CPU profile has no GPU"),
            pytest.param(
                Profile.gpu, "npu:0", "gpu-python", id="the onnxruntime backend supports only NVIDIA"
            ),
            pytest.param(Profile.gpu_python, "cpu", "cpu", id="the GPU profiles have no CPU"),
        ],
    )
    def test_profile_rejects_other_devices(self, profile: Profile, device: str, alternatives: str) -> None:
        with pytest.raises(ServerError, match=f"does not run on it; use {alternatives}$"):
            profile_settings(profile, device)


def test_onnxruntime_backend_rejects_paddle_files(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    inference_config.save(inference_config.compose(Role.TEXT_DETECTION, "PP-OCRv4_mobile_det"), source)
    for name in ("inference.pdmodel", "inference.pdiparams"):
        (source / name).touch()
    with pytest.raises(ModelFormatError, match=r"onnxruntime backend reads only ONNX.*--convert"):
        add_network(tmp_path, "mine", source, GPUS)


def test_network_with_a_fixed_batch_size_is_rejected(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    inference_config.save(inference_config.compose(Role.TEXT_DETECTION, "PP-OCRv4_mobile_det"), source)
    model = onnx.load_from_string(networks.detection())
    nodes = [*model.graph.node]
    nodes[-1].output[0] = "inner"
    shape = numpy_helper.from_array(np.array([1, 1, 32, 32], np.int64), "shape")
    nodes.append(helper.make_node("Reshape", ["inner", "shape"], [model.graph.output[0].name]))
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    model.graph.initializer.append(shape)
    onnx.save(model, source / "inference.onnx")
    with pytest.raises(ModelFormatError, match="got the fixed batch size 1, expected a variable one"):
        add_network(tmp_path, "mine", source, GPUS)


def test_variances_beyond_float16_keep_their_values() -> None:
    """PP-OCRv4_mobile_det has such variances: in float16, 3 % of a page became text."""
    values = {"scale": [1.0], "bias": [0.0], "mean": [0.0], "var": [4e6]}
    nodes = [
        helper.make_node("Constant", [], [name], value=numpy_helper.from_array(np.array(v, np.float32)))
        for name, v in values.items()
    ]
    nodes.append(helper.make_node("BatchNormalization", ["x", *values], ["y"], epsilon=0.0))
    tensors = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 1, 1, 1]) for name in "xy"]
    graph = helper.make_graph(nodes, "normalised", tensors[:1], tensors[1:])
    model = halve(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 12)], ir_version=7))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (y,) = session.run(None, {"x": np.full((1, 1, 1, 1), 2000, np.float32)})
    assert y.item() == pytest.approx(1.0, rel=1e-3)


class TestCommand:
    @pytest.fixture(autouse=True)
    def small_pipeline(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Replace the default pipeline by small networks for detection and recognition."""
        dirs = {}
        for role, network in (
            (Role.TEXT_DETECTION, networks.detection()),
            (Role.TEXT_RECOGNITION, networks.recognition(5)),
        ):
            name = DEFAULT_NETWORKS[role]
            dirs[name] = tmp_path / name
            dirs[name].mkdir()
            inference_config.save(inference_config.compose(role, name, characters="abc"), dirs[name])
            (dirs[name] / "inference.onnx").write_bytes(network)
        default = pipeline_config.default()
        roles = {role: name for role, name in default.networks.items() if name in dirs}
        config = pipeline_config.PipelineConfig(**{**default.__dict__, "networks": roles, "model_dirs": dirs})
        monkeypatch.setattr(pipeline_config, "default", lambda: config)

    @pytest.mark.parametrize(
        ("arguments", "backend", "device"),
        [
            pytest.param([], "python", "cpu", id="a CPU by default"),
            pytest.param(["--profile", "gpu"], "onnxruntime", "gpu:0", id="the onnxruntime backend"),
            pytest.param(
                ["--profile", "gpu-python", "--device", "gpu:1"],
                "python",
                "gpu:1",
                id="the engines of TritonOCR",
            ),
        ],
    )
    def test_build_does_not_need_the_device(
        self, arguments: list[str], backend: str, device: str, tmp_path: Path
    ) -> None:
        out = tmp_path / "out"
        result = CliRunner().invoke(app, ["build", str(out), *arguments])
        assert result.exit_code == 0, result.output
        names = {DEFAULT_NETWORKS[Role.TEXT_DETECTION], DEFAULT_NETWORKS[Role.TEXT_RECOGNITION]}
        batching = {LINE_BATCHING} if backend == "onnxruntime" else set()
        assert {path.name for path in out.iterdir()} == {*PIPELINE_MODELS, *batching, *names}
        for name in names:
            config = text_format.Parse(
                (out / name / "config.pbtxt").read_text(), model_config_pb2.ModelConfig()
            )
            metadata = json.loads((out / name / "1" / "network.json").read_text())
            assert (config.backend, metadata["backend"], metadata["device"]) == (backend, backend, device)

    def test_wrong_device_is_rejected_without_output(self, tmp_path: Path) -> None:
        result = CliRunner().invoke(
            app, ["build", str(tmp_path / "out"), "--profile", "gpu", "--device", "xpu"]
        )
        assert result.exit_code == 1
        assert "tritonocr: device: got 'xpu:0'" in result.output
        assert not (tmp_path / "out").exists()


def test_roles_with_a_fixed_height_have_a_tensorrt_profile() -> None:
    assert {role for role in Role if tensorrt_profile(role)} == set(SIZED)
    assert all(IMAGE_SIZES[role][0] for role in SIZED)
    assert set(NETWORK_OUTPUTS) == set(SERVING)


DOCKERFILE = Path(__file__).parents[3] / "docker" / "Dockerfile.server"


def test_the_image_sets_the_memory_allocator_as_serve_does() -> None:
    """A tritonserver that is started directly in the image has no other source of these settings."""
    text = DOCKERFILE.read_text()
    for name, value in MALLOC.items():
        assert f" {name}={value} " in text


def test_the_image_has_the_release_that_the_networks_need() -> None:
    """Triton 25.04 runs TensorRT on the GPU of the instance; earlier releases do not."""
    (release,) = re.findall(r"^ARG TRITON_RELEASE=(\d+\.\d+)$", DOCKERFILE.read_text(), re.MULTILINE)
    assert tuple(map(int, release.split("."))) >= (25, 4)


@given(height=st.integers(1, 5000), width=st.integers(1, 20000))
def test_the_pipeline_sends_no_size_that_a_native_network_rejects(height: int, width: int) -> None:
    """Triton's backend does not check sizes: a width below 5 px gives ONNX Runtime's own error."""
    for rule in (line_width, exact_line_width):
        assert WIDTH_STEP_PX <= rule(height, width)[1] <= MAX_WIDTH_PX
    assert to_stride(height) % STRIDE_PX == 0 < to_stride(height)
