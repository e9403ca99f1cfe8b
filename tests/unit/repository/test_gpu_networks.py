"""Test folders, graphs and outputs of the default networks for GPUs, without a GPU."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from google.protobuf import text_format
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper
from role_images import IMAGES
from tritonclient.grpc import model_config_pb2

from tritonocr_backend.core.contracts import Role
from tritonocr_backend.core.network_metadata import read_network_metadata
from tritonocr_backend.core.settings import DEFAULT_NETWORKS
from tritonocr_backend.graphs.half_precision import _simplify
from tritonocr_backend.repository.build import build_repository
from tritonocr_backend.repository.networks import add_network
from tritonocr_backend.repository.profiles import Profile, profile_settings
from tritonocr_backend.server import model_control
from tritonocr_backend.zoo.fetch import fetch_model
from tritonocr_common.options import OPTIONS

SIZED = (Role.DOC_ORIENTATION, Role.TEXTLINE_ORIENTATION, Role.TEXT_RECOGNITION)
THRESH = OPTIONS["text_det_thresh"].default
TENSORRT = profile_settings(Profile.gpu, accelerator="tensorrt")


def _answers(graph: Path, image: NDArray[np.uint8]) -> list[NDArray[Any]]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    return [np.asarray(output) for output in session.run(None, {"image": image})]


def _largest_activation(path: Path, image: NDArray[np.uint8]) -> float:
    """Return the largest magnitude of all tensors of a float32 graph whose batch normalisation is folded."""
    model = _simplify(onnx.load(path))
    del model.graph.output[:]
    names = [name for node in model.graph.node for name in node.output if name]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    tensors = [np.asarray(value) for value in session.run(None, {"image": image})]
    floats = [tensor for tensor in tensors if tensor.dtype == np.float32 and tensor.size]
    return float(max(np.abs(tensor).max() for tensor in floats))


def _dims(shape: list[Any]) -> list[int]:
    return [size if isinstance(size, int) else -1 for size in shape]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[Profile, Path]:
    """Return a repository of the default networks per GPU profile."""
    models = {name: fetch_model(name) for name in DEFAULT_NETWORKS.values()}
    directory = tmp_path_factory.mktemp("built")
    return {
        profile: build_repository(directory / profile.value, models, serving=profile_settings(profile))
        for profile in (Profile.gpu, Profile.gpu_python)
    }


@pytest.mark.parametrize("role", Role)
class TestFolder:
    def test_only_the_python_backend_has_a_model_file(self, role: Role, built: dict[Profile, Path]) -> None:
        for profile, repository in built.items():
            version = repository / DEFAULT_NETWORKS[role] / "1"
            assert (version / "model.py").exists() == (profile is Profile.gpu_python)
            assert (version / "model.onnx").is_file()

    def test_tensors_in_the_config_match_the_graph(self, role: Role, built: dict[Profile, Path]) -> None:
        """The onnxruntime backend compares all output dimensions, and the known input dimensions."""
        folder = built[Profile.gpu] / DEFAULT_NETWORKS[role]
        config = text_format.Parse((folder / "config.pbtxt").read_text(), model_config_pb2.ModelConfig())
        session = onnxruntime.InferenceSession(
            str(folder / "1" / "model.onnx"), providers=["CPUExecutionProvider"]
        )
        graph = {tensor.name: _dims(tensor.shape) for tensor in session.get_outputs()}
        assert {output.name: [-1, *output.dims] for output in config.output} == graph
        (image,) = session.get_inputs()
        pairs = zip(_dims(image.shape), [-1, *config.input[0].dims], strict=True)
        assert all(known in (-1, stated) for known, stated in pairs)

    def test_network_metadata_is_readable(self, role: Role, built: dict[Profile, Path]) -> None:
        network = read_network_metadata(built[Profile.gpu] / DEFAULT_NETWORKS[role] / "1")
        assert (network.role, network.backend, network.engine, network.device) == (
            role,
            "onnxruntime",
            "onnxruntime",
            "gpu:0",
        )
        expected = "f32" if role is Role.DOC_UNWARPING else "f16"
        assert network.precision == expected, "a grid in float16 is wrong by several pixels"

    def test_half_precision_has_the_same_results(
        self, role: Role, built: dict[Profile, Path], default_repository: Path
    ) -> None:
        name = DEFAULT_NETWORKS[role]
        graphs = [path / name / "1" / "model.onnx" for path in (default_repository, built[Profile.gpu])]
        full, half = (_answers(graph, IMAGES[role]) for graph in graphs)
        if role is Role.DOC_UNWARPING:
            assert graphs[0].read_bytes() == graphs[1].read_bytes(), (
                "a grid in float16 is wrong by several pixels"
            )
            return
        assert graphs[1].stat().st_size < 0.6 * graphs[0].stat().st_size
        if role is Role.TEXT_DETECTION:
            probability, rounded = half
            assert np.abs(rounded / np.float32(255) - probability).max() <= 0.5 / 255 + 1e-6
        for one, other in zip(full, half, strict=False):  # a native network has more outputs
            assert (one.dtype, one.shape) == (other.dtype, other.shape)
            if one.dtype == np.int32:
                assert (one == other).all()
            elif role is Role.TEXT_DETECTION:
                assert ((one > THRESH) != (other > THRESH)).mean() < 2e-3
            else:
                assert np.abs(one - other).max() < 0.05

    def test_its_largest_activation_fits_in_float16(
        self, role: Role, built: dict[Profile, Path], default_repository: Path
    ) -> None:
        """A CPU computes in float32, so that an overflow of float16 would not show."""
        name = DEFAULT_NETWORKS[role]
        assert _largest_activation(default_repository / name / "1" / "model.onnx", IMAGES[role]) < 65504 / 2
        model = onnx.load(built[Profile.gpu] / name / "1" / "model.onnx")
        halves = [t for t in model.graph.initializer if t.data_type == TensorProto.FLOAT16]
        assert bool(halves) == (role is not Role.DOC_UNWARPING)
        assert all(np.abs(numpy_helper.to_array(half)).max(initial=0) < 65504 for half in halves)

    def test_the_graph_for_tensorrt_is_the_one_for_cuda_with_the_cast_first(
        self, role: Role, tmp_path: Path, built: dict[Profile, Path]
    ) -> None:
        """TensorRT 11 takes the types from the graph, so that its graph is in float16 too."""
        add_network(tmp_path, "mine", fetch_model(DEFAULT_NETWORKS[role]), TENSORRT)
        graph = onnx.load(tmp_path / "mine" / "1" / "model.onnx").graph
        readers = {node.op_type for node in graph.node if "image" in node.input}
        assert (readers == {"Cast"}) == (role in SIZED)
        halves = any(tensor.data_type == TensorProto.FLOAT16 for tensor in graph.initializer)
        assert halves == (role is not Role.DOC_UNWARPING)
        expected = _answers(built[Profile.gpu] / DEFAULT_NETWORKS[role] / "1" / "model.onnx", IMAGES[role])
        answers = _answers(tmp_path / "mine" / "1" / "model.onnx", IMAGES[role])
        assert all((a == b).all() for a, b in zip(answers, expected, strict=True))

    def test_network_that_is_added_later_has_the_settings_of_the_others(
        self, role: Role, built: dict[Profile, Path], tmp_path: Path
    ) -> None:
        for repository in built.values():
            (tmp_path / repository.name).mkdir()
            later = tmp_path / repository.name / "later"
            add_network(
                later.parent,
                "later",
                fetch_model(DEFAULT_NETWORKS[role]),
                model_control._serving_settings(repository),
            )
            text = (repository / DEFAULT_NETWORKS[role] / "config.pbtxt").read_text()
            assert (later / "config.pbtxt").read_text() == text.replace(DEFAULT_NETWORKS[role], "later")
