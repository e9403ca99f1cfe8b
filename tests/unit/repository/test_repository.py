"""A network's folder in a model repository: its contract, its card and its graph, from the model itself."""

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
from tritonocr_backend.repository.build import add_network, build_repository, remove_network
from tritonocr_backend.repository.network_config import ServingSettings, network_config
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
def test_a_network_is_served_by_its_roles_contract(role: Role) -> None:
    text = network_config("mine", role, ServingSettings(instances={"mine": 3}))
    config = text_format.Parse(text, model_config_pb2.ModelConfig())
    assert list(config.input[0].dims) == [*(size or -1 for size in IMAGE_SIZES[role]), 3]
    assert tuple(output.name for output in config.output) == NETWORK_OUTPUTS[role]
    assert config.instance_group[0].count == 3


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, (4, 4)),
        ({"ocr": 2}, (2, 2)),  # PDFs are read by the other of the two
        ({"ocr": 2, "ocr_stream": 1}, (2, 1)),
    ],
)
def test_as_many_files_are_read_page_by_page_as_at_once(
    repository: Path, given: dict[str, int], expected: tuple[int, int]
) -> None:
    build_repository(repository, {}, serving=ServingSettings(instances=given))
    counts = [config_of(repository / name).instance_group[0].count for name in ("ocr", "ocr_stream")]
    assert tuple(counts) == expected


class TestAnotherSize:
    """A network that wants 48 x 192 behind the contract of 80 x 160."""

    @pytest.fixture(params=[11, 13], ids=lambda opset: f"opset {opset}")
    def model_dir(self, request: pytest.FixtureRequest, tmp_path: Path) -> Path:
        content = inference_config.compose(
            Role.TEXTLINE_ORIENTATION, "ch_ppocr_mobile_v2.0_cls", input_shape=OLD_SIZE
        )
        return model(tmp_path, networks.classifier_of_size(*OLD_SIZE, opset=request.param), content)

    def test_the_graph_resizes_as_opencv_does(self, model_dir: Path, repository: Path) -> None:
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

    def test_the_card_tells_engines_that_run_the_files_as_they_are(
        self, model_dir: Path, repository: Path
    ) -> None:
        add_network(repository, "old", model_dir)
        assert read_network_metadata(repository / "old" / "1").own_size == OLD_SIZE


class TestCards:
    def _card(self, tmp_path: Path, name: str, architecture: str, **serving: Any) -> NetworkMetadata:
        role = registry.find(architecture).role
        network = networks.detection() if role is Role.TEXT_DETECTION else networks.recognition(5)
        content = inference_config.compose(role, architecture, characters="abc")
        (tmp_path / "repository").mkdir()
        model_dir = model(tmp_path, network, content)
        return add_network(tmp_path / "repository", name, model_dir, ServingSettings(**serving))

    def test_languages_are_those_of_the_model(self, tmp_path: Path) -> None:
        card = self._card(tmp_path, "fine_tuned", "PP-OCRv5_mobile_rec")
        assert card.languages == registry.find("PP-OCRv5_mobile_rec").languages
        assert (card.generation, card.right_to_left) == (5, False)

    def test_arabic_runs_from_right_to_left(self, tmp_path: Path) -> None:
        assert self._card(tmp_path, "fine_tuned", "arabic_PP-OCRv3_mobile_rec").right_to_left

    def test_an_imported_models_own_record_comes_first(self, tmp_path: Path) -> None:
        content = inference_config.compose(Role.TEXT_RECOGNITION, "en_PP-OCRv3_mobile_rec", characters="abc")
        source = model(tmp_path, networks.recognition(5), content)
        import_model(source, "mine")
        record = tmp_path / "home" / "models" / "mine" / "model.json"
        told = json.loads(record.read_text()) | {"languages": ["latin", "en"], "generation": 6}
        record.write_text(json.dumps(told))
        (tmp_path / "repository").mkdir()
        card = add_network(tmp_path / "repository", "mine", source)
        assert (card.languages, card.generation) == (("latin", "en"), 6)

    def test_a_detector_brings_its_own_thresholds(self, tmp_path: Path) -> None:
        options = self._card(tmp_path, "v6", "PP-OCRv6_small_det").options
        assert options == {
            "text_det_thresh": 0.2,
            "text_det_box_thresh": 0.45,
            "text_det_unclip_ratio": 1.4,
        }


def test_the_pipelines_own_values_are_parameters_of_its_models(tmp_path: Path) -> None:
    options = {**default_options(), "text_det_thresh": 0.25, "use_doc_unwarping": False}
    build_repository(tmp_path / "built", {}, PipelineSettings(options=options))
    for name in ("ocr", "ocr_stream"):
        parameters = config_of(tmp_path / "built" / name).parameters
        assert parameters["text_det_thresh"].string_value == "0.25"
        assert parameters["use_doc_unwarping"].string_value == "False"
        assert "lang" not in parameters


def test_pages_read_unasked_are_no_more_than_may_be_asked_for(tmp_path: Path) -> None:
    build_repository(tmp_path / "built", {}, PipelineSettings(max_pages=5))
    assert config_of(tmp_path / "built" / "ocr").parameters["max_pages"].string_value == "5"


def test_removing_leaves_nothing_behind(repository: Path) -> None:
    (repository / "gone" / "1").mkdir(parents=True)
    remove_network(repository, "gone")
    remove_network(repository, "never there")
    assert list(repository.parent.rglob("*gone*")) == []
    assert list(repository.parent.iterdir()) == [repository]
