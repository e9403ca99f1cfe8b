"""Test the config, the metadata and the graph of a network in a model repository."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import networks
import numpy as np
import onnxruntime
import openvino
import pytest
from google.protobuf import text_format
from numpy.typing import NDArray
from tritonclient.grpc import model_config_pb2

from tritonocr_backend.core.contracts import IMAGE, IMAGE_SIZES, NETWORK_OUTPUTS, Role
from tritonocr_backend.core.network_metadata import NetworkMetadata, read_network_metadata
from tritonocr_backend.core.settings import PipelineSettings, default_options
from tritonocr_backend.repository.build import build_repository
from tritonocr_backend.repository.network_config import network_config
from tritonocr_backend.repository.networks import add_network, remove_network
from tritonocr_backend.repository.serving_settings import ServingSettings
from tritonocr_backend.zoo import inference_config, registry
from tritonocr_backend.zoo.importing import import_model

pytestmark = pytest.mark.usefixtures("home")

OLD_SIZE = (48, 192)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    path = tmp_path / "repository"
    path.mkdir()
    return path


def model(tmp_path: Path, network: bytes, content: Mapping[str, Any]) -> Path:
    path = tmp_path / "model"
    path.mkdir()
    (path / "inference.onnx").write_bytes(network)
    inference_config.save(content, path)
    return path


def config_of(folder: Path) -> Any:
    return text_format.Parse((folder / "config.pbtxt").read_text(), model_config_pb2.ModelConfig())


@pytest.mark.parametrize("role", list(Role))
def test_config_matches_the_contract_of_the_role(role: Role) -> None:
    text = network_config("mine", role, ServingSettings(instances={"mine": 3}))
    config = text_format.Parse(text, model_config_pb2.ModelConfig())
    assert list(config.input[0].dims) == [*(size or -1 for size in IMAGE_SIZES[role]), 3]
    assert tuple(output.name for output in config.output) == NETWORK_OUTPUTS[role]
    assert config.instance_group[0].count == 3


@pytest.mark.parametrize(
    ("instances", "expected"),
    [
        ({}, (4, 4)),
        ({"ocr": 2}, (2, 2)),  # `ocr_stream` has the same number
        ({"ocr": 2, "ocr_stream": 1}, (2, 1)),
    ],
)
def test_both_reading_models_have_the_same_default_instances(
    repository: Path, instances: dict[str, int], expected: tuple[int, int]
) -> None:
    build_repository(repository, {}, serving=ServingSettings(instances=instances))
    counts = [config_of(repository / name).instance_group[0].count for name in ("ocr", "ocr_stream")]
    assert tuple(counts) == expected


class TestAnotherSize:
    """Test a network with an input of 48 x 192 pixels, for which the contract states 80 x 160 pixels."""

    @pytest.fixture(params=[11, 13], ids=lambda opset: f"opset {opset}")
    def model_dir(self, request: pytest.FixtureRequest, tmp_path: Path) -> Path:
        content = inference_config.compose(
            Role.TEXTLINE_ORIENTATION, "ch_ppocr_mobile_v2.0_cls", input_shape=OLD_SIZE
        )
        return model(tmp_path, networks.classifier_of_size(*OLD_SIZE, opset=request.param), content)

    def test_graph_resizes_like_opencv(self, model_dir: Path, repository: Path) -> None:
        add_network(repository, "old", model_dir)
        assert list(config_of(repository / "old").input[0].dims) == [80, 160, 3]
        images = np.random.default_rng(0).integers(0, 256, (2, 10, 20, 3), np.uint8)
        images = np.stack([cv2.resize(image, (160, 80)) for image in images])
        graph = str(repository / "old" / "1" / "model.onnx")
        expected = self._original(model_dir, images)
        session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
        assert session.run(None, {IMAGE: images})[0] == pytest.approx(expected, abs=5e-3)
        compiled = openvino.Core().compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        assert compiled(images)[0] == pytest.approx(expected, abs=5e-3)

    def _original(self, model_dir: Path, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        session = onnxruntime.InferenceSession(
            str(model_dir / "inference.onnx"), providers=["CPUExecutionProvider"]
        )
        resized = np.stack([cv2.resize(image, OLD_SIZE[::-1]) for image in images])
        rgb = resized[..., ::-1].transpose(0, 3, 1, 2)
        return np.asarray(session.run(None, {"x": (rgb / np.float32(127.5) - 1).astype(np.float32)})[0])

    def test_metadata_states_the_input_size_of_the_network(self, model_dir: Path, repository: Path) -> None:
        add_network(repository, "old", model_dir)
        assert read_network_metadata(repository / "old" / "1").own_size == OLD_SIZE


class TestMetadata:
    def _metadata(self, tmp_path: Path, name: str, architecture: str, **serving: Any) -> NetworkMetadata:
        role = registry.find(architecture).role
        network = networks.detection() if role is Role.TEXT_DETECTION else networks.recognition(5)
        content = inference_config.compose(role, architecture, characters="abc")
        (tmp_path / "repository").mkdir()
        model_dir = model(tmp_path, network, content)
        return add_network(tmp_path / "repository", name, model_dir, ServingSettings(**serving))

    def test_languages_are_those_of_the_model(self, tmp_path: Path) -> None:
        metadata = self._metadata(tmp_path, "fine_tuned", "PP-OCRv5_mobile_rec")
        assert metadata.languages == registry.find("PP-OCRv5_mobile_rec").languages
        assert (metadata.generation, metadata.right_to_left) == (5, False)

    def test_arabic_runs_from_right_to_left(self, tmp_path: Path) -> None:
        assert self._metadata(tmp_path, "fine_tuned", "arabic_PP-OCRv3_mobile_rec").right_to_left

    def test_record_of_an_imported_model_takes_precedence(self, tmp_path: Path) -> None:
        content = inference_config.compose(Role.TEXT_RECOGNITION, "en_PP-OCRv3_mobile_rec", characters="abc")
        source = model(tmp_path, networks.recognition(5), content)
        import_model(source, "mine")
        record = tmp_path / "home" / "models" / "mine" / "model.json"
        changed = json.loads(record.read_text()) | {"languages": ["latin", "en"], "generation": 6}
        record.write_text(json.dumps(changed))
        (tmp_path / "repository").mkdir()
        metadata = add_network(tmp_path / "repository", "mine", source)
        assert (metadata.languages, metadata.generation) == (("latin", "en"), 6)

    def test_metadata_contains_the_thresholds_of_a_detector(self, tmp_path: Path) -> None:
        options = self._metadata(tmp_path, "v6", "PP-OCRv6_small_det").options
        assert options == {
            "text_det_thresh": 0.2,
            "text_det_box_thresh": 0.45,
            "text_det_unclip_ratio": 1.4,
        }


def test_pipeline_options_are_parameters_of_the_reading_models(tmp_path: Path) -> None:
    options = {**default_options(), "text_det_thresh": 0.25, "use_doc_unwarping": False}
    build_repository(tmp_path / "built", {}, PipelineSettings(options=options))
    for name in ("ocr", "ocr_stream"):
        parameters = config_of(tmp_path / "built" / name).parameters
        assert parameters["text_det_thresh"].string_value == "0.25"
        assert parameters["use_doc_unwarping"].string_value == "False"
        assert "lang" not in parameters


def test_default_of_max_pages_is_at_most_the_limit(tmp_path: Path) -> None:
    build_repository(tmp_path / "built", {}, PipelineSettings(max_pages=5))
    assert config_of(tmp_path / "built" / "ocr").parameters["max_pages"].string_value == "5"


def test_removing_a_network_leaves_no_files(repository: Path) -> None:
    (repository / "gone" / "1").mkdir(parents=True)
    remove_network(repository, "gone")
    remove_network(repository, "missing")
    assert list(repository.parent.rglob("*gone*")) == []
    assert list(repository.parent.iterdir()) == [repository]
