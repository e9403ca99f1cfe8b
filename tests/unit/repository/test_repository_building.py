"""Test the build of a model repository from model directories in PaddleX's layout."""

import json
import stat
from pathlib import Path

import onnx
import pytest
from google.protobuf import text_format
from onnx_networks import network
from tritonclient.grpc import model_config_pb2

from tritonocr_backend.core.contracts import IMAGE_SIZES, PIPELINE_MODELS, Role
from tritonocr_backend.core.network_metadata import CHARACTERS_FILE, read_network_metadata
from tritonocr_backend.core.settings import PipelineSettings, default_options, read_pipeline_settings
from tritonocr_backend.repository.build import build_repository, source_repository
from tritonocr_backend.repository.networks import add_network, remove_network
from tritonocr_backend.repository.serving_settings import ServingSettings
from tritonocr_backend.zoo import inference_config
from tritonocr_backend.zoo.errors import ModelFormatError

NAMES = {
    Role.DOC_ORIENTATION: "PP-LCNet_x1_0_doc_ori",
    Role.DOC_UNWARPING: "UVDoc",
    Role.TEXT_DETECTION: "PP-OCRv6_small_det",
    Role.TEXTLINE_ORIENTATION: "PP-LCNet_x1_0_textline_ori",
    Role.TEXT_RECOGNITION: "japan_PP-OCRv3_mobile_rec",
}


def model_dir(directory: Path, role: Role, model_name: str | None = None) -> Path:
    """Write a small ONNX network of a role in PaddleX's layout, and return its directory."""
    path = directory / f"source_{role.value}"
    path.mkdir()
    content = inference_config.compose(role, model_name or NAMES[role], characters="abcd中")
    inference_config.save(content, path)
    onnx.save(network(role), path / "inference.onnx")
    return path


def paddle_dir(directory: Path) -> Path:
    path = directory / "paddle_det"
    path.mkdir()
    inference_config.save(inference_config.compose(Role.TEXT_DETECTION, "PP-OCRv4_mobile_det"), path)
    for name in ("inference.pdmodel", "inference.pdiparams", "inference.pdiparams.info"):
        (path / name).write_bytes(name.encode())
    return path


def parsed(folder: Path) -> model_config_pb2.ModelConfig:
    text = (folder / "config.pbtxt").read_text(encoding="utf-8")
    return text_format.Parse(text, model_config_pb2.ModelConfig())


@pytest.fixture
def models(tmp_path: Path) -> dict[str, Path]:
    return {f"my_{role.value}": model_dir(tmp_path, role) for role in Role}


class TestWholeRepository:
    def test_repository_contains_the_stages_and_the_networks(
        self, models: dict[str, Path], tmp_path: Path
    ) -> None:
        target = build_repository(tmp_path / "repository", models)
        assert {path.name for path in target.iterdir()} == {*PIPELINE_MODELS, *models}
        for folder in target.iterdir():
            assert parsed(folder).name == folder.name
            assert (folder / "1" / "model.py").is_file()
            assert stat.S_IMODE(folder.stat().st_mode) == 0o755, "tritonserver may run as another user"

    def test_build_leaves_no_temporary_files(self, models: dict[str, Path], tmp_path: Path) -> None:
        before = set(tmp_path.iterdir())
        build_repository(tmp_path / "repository", models)
        assert set(tmp_path.iterdir()) == before | {tmp_path / "repository"}

    def test_second_build_replaces_the_first_and_keeps_other_files(
        self, models: dict[str, Path], tmp_path: Path
    ) -> None:
        target = build_repository(tmp_path / "repository", models)
        (target / "notes.txt").write_text("mine")
        kept = {"my_text_detection": models["my_text_detection"]}
        build_repository(target, kept)
        assert {path.name for path in target.iterdir()} == {*PIPELINE_MODELS, *kept, "notes.txt"}

    def test_both_reading_models_have_the_pipeline_settings(
        self, models: dict[str, Path], tmp_path: Path
    ) -> None:
        settings = PipelineSettings(
            networks={Role.TEXT_DETECTION: "my_text_detection"},
            options={**default_options(), "text_det_thresh": 0.0},
        )
        target = build_repository(tmp_path / "repository", models, settings)
        for name in ("ocr", "ocr_stream"):
            assert read_pipeline_settings(target / name / "1") == settings
            parameters = parsed(target / name).parameters
            assert parameters["text_det_thresh"].string_value == "0.0"
            assert parameters["use_doc_unwarping"].string_value == "True"
            assert "lang" not in parameters, "an option that the server chooses has no value"

    @pytest.mark.parametrize("name", ["ocr", "text_crop", "my_text_recognition", "text_recognition"])
    def test_instances_are_stated_by_model_or_role(
        self, name: str, models: dict[str, Path], tmp_path: Path
    ) -> None:
        serving = ServingSettings(instances={name: 7})
        target = build_repository(tmp_path / "repository", models, serving=serving)
        folder = "my_text_recognition" if name == "text_recognition" else name
        counts = {path.name: parsed(path).instance_group[0].count for path in target.iterdir()}
        assert counts.pop(folder) == 7
        assert name != "ocr" or counts.pop("ocr_stream") == 7, "`ocr_stream` has the instances of `ocr`"
        assert 7 not in counts.values()

    def test_source_repository_contains_the_pipeline_models(self) -> None:
        assert {path.parent.name for path in source_repository().glob("*/config.pbtxt")} >= set(
            PIPELINE_MODELS
        )


class TestNetwork:
    @pytest.mark.parametrize("role", Role)
    def test_config_matches_the_contract_of_the_role(self, role: Role, tmp_path: Path) -> None:
        metadata = add_network(tmp_path, "mine", model_dir(tmp_path, role))
        assert (metadata.name, metadata.role) == ("mine", role)
        assert read_network_metadata(tmp_path / "mine" / "1") == metadata
        config = parsed(tmp_path / "mine")
        assert list(config.input[0].dims) == [*(size or -1 for size in IMAGE_SIZES[role]), 3]
        assert (tmp_path / "mine" / "1" / "model.onnx").is_file()

    def test_recognition_network_has_its_dictionary(self, tmp_path: Path) -> None:
        metadata = add_network(tmp_path, "mine", model_dir(tmp_path, Role.TEXT_RECOGNITION))
        text = (tmp_path / "mine" / "1" / CHARACTERS_FILE).read_text(encoding="utf-8")
        assert json.loads(text) == ["a", "b", "c", "d", "中"]
        assert "中" in text
        assert metadata.languages[0] == "japan"

    def test_known_architecture_has_its_thresholds(self, tmp_path: Path) -> None:
        metadata = add_network(tmp_path, "mine", model_dir(tmp_path, Role.TEXT_DETECTION))
        assert metadata.options == {
            "text_det_thresh": 0.2,
            "text_det_box_thresh": 0.45,
            "text_det_unclip_ratio": 1.4,
        }

    def test_unknown_architecture_has_no_languages_and_thresholds(self, tmp_path: Path) -> None:
        metadata = add_network(tmp_path, "mine", model_dir(tmp_path, Role.TEXT_RECOGNITION, "my_own_net"))
        assert (metadata.languages, metadata.options, metadata.generation) == ((), {}, 0)

    @pytest.mark.parametrize(
        ("role", "serving", "precision"),
        [
            pytest.param(Role.TEXT_DETECTION, {}, "auto", id="the default of a CPU"),
            pytest.param(Role.DOC_UNWARPING, {}, "auto", id="the engine keeps the last layers in f32"),
            pytest.param(Role.DOC_UNWARPING, {"precision": "bf16"}, "bf16", id="a stated precision"),
            pytest.param(
                Role.TEXT_DETECTION,
                {"precision": "bf16", "precision_of_role": {Role.TEXT_DETECTION: "f32"}},
                "f32",
                id="the precision of the role takes precedence",
            ),
        ],
    )
    def test_precision_by_role_and_settings(
        self, role: Role, serving: dict[str, object], precision: str, tmp_path: Path
    ) -> None:
        settings = ServingSettings(**serving)  # type: ignore[arg-type]
        assert add_network(tmp_path, "mine", model_dir(tmp_path, role), settings).precision == precision

    def test_paddle_files_run_unchanged_on_the_paddle_engine(self, tmp_path: Path) -> None:
        metadata = add_network(tmp_path, "mine", paddle_dir(tmp_path), ServingSettings(engine="openvino"))
        assert metadata.engine == "paddle"
        version = tmp_path / "mine" / "1"
        assert (version / "inference.pdmodel").read_bytes() == b"inference.pdmodel"
        assert (version / "inference.pdiparams").read_bytes() == b"inference.pdiparams"

    @pytest.mark.parametrize(
        ("stated", "engine"), [("openvino", "openvino"), ("auto", "auto"), ("paddle", "auto")]
    )
    def test_onnx_files_run_on_an_engine_that_reads_onnx(
        self, stated: str, engine: str, tmp_path: Path
    ) -> None:
        source = model_dir(tmp_path, Role.TEXT_DETECTION)
        assert add_network(tmp_path, "mine", source, ServingSettings(engine=stated)).engine == engine

    def test_second_removal_has_no_effect(self, tmp_path: Path) -> None:
        add_network(tmp_path, "mine", model_dir(tmp_path, Role.TEXT_DETECTION))
        remove_network(tmp_path, "mine")
        remove_network(tmp_path, "mine")
        assert not (tmp_path / "mine").exists()


class TestFailedBuild:
    @pytest.fixture
    def repository(self, tmp_path: Path) -> Path:
        path = tmp_path / "repository"
        path.mkdir()
        add_network(path, "mine", model_dir(tmp_path, Role.TEXT_DETECTION))
        return path

    @pytest.mark.parametrize(
        ("broken", "message"),
        [
            pytest.param("inference.onnx", "is not an ONNX model", id="not a network"),
            pytest.param("inference.yml", "inference.yml", id="not a configuration"),
        ],
    )
    def test_failure_keeps_the_previous_network_and_leaves_no_files(
        self, broken: str, message: str, repository: Path, tmp_path: Path
    ) -> None:
        before = read_network_metadata(repository / "mine" / "1")
        source = model_dir(tmp_path, Role.TEXT_RECOGNITION)
        (source / broken).write_bytes(b"\x00nonsense")
        with pytest.raises(ModelFormatError, match=message):
            add_network(repository, "mine", source)
        assert read_network_metadata(repository / "mine" / "1") == before
        assert not list(tmp_path.glob(".repository-*"))

    @pytest.mark.parametrize("missing", ["inference.onnx", "inference.yml"])
    def test_directory_without_a_network_is_rejected(
        self, missing: str, repository: Path, tmp_path: Path
    ) -> None:
        source = model_dir(tmp_path, Role.TEXT_RECOGNITION)
        (source / missing).unlink()
        with pytest.raises(ModelFormatError, match=missing):
            add_network(repository, "other", source)
        assert not (repository / "other").exists()

    def test_paddle_files_without_weights_are_rejected(self, repository: Path, tmp_path: Path) -> None:
        source = paddle_dir(tmp_path)
        (source / "inference.pdiparams").unlink()
        with pytest.raises(ModelFormatError, match=r"has no inference\.pdiparams"):
            add_network(repository, "other", source)


class TestCores:
    """Test the instance counts by cores of the server's machine, and stated instance counts."""

    @pytest.mark.parametrize(
        ("cores", "stated", "expected", "reason"),
        [
            (64, {}, 8, "the server's machine has 64 cores; the cores of this machine do not count"),
            (8, {}, 1, "a smaller machine"),
            (64, {"text_detection_postprocess": 3}, 3, "a stated number takes precedence"),
        ],
    )
    def test_processes_of_a_stage(
        self,
        cores: int,
        stated: dict[str, int],
        expected: int,
        reason: str,
        tmp_path: Path,
        models: dict[str, Path],
    ) -> None:
        serving = ServingSettings(cores=cores, instances=stated)
        target = build_repository(tmp_path / "built", models, serving=serving)
        count = parsed(target / "text_detection_postprocess").instance_group[0].count
        assert count == expected, reason


class TestForeignFolders:
    """Test that folders of the user are neither replaced nor removed."""

    @pytest.fixture
    def own_model(self, tmp_path: Path) -> Path:
        """Write a Triton model of the user in the repository and beside it; return the former."""
        for path in (tmp_path / "repository" / "mine", tmp_path / "mine"):
            (path / "1").mkdir(parents=True)
            (path / "config.pbtxt").write_text('name: "mine"')
            (path / "1" / "weights").touch()
        return tmp_path / "repository" / "mine"

    def test_model_of_the_user_stays_in_the_repository(
        self, own_model: Path, models: dict[str, Path]
    ) -> None:
        build_repository(own_model.parent, models)
        assert (own_model / "1" / "weights").exists()

    @pytest.mark.parametrize("name", ["mine", "../mine", ".", "..", "/nowhere", "", "ocr"])
    def test_no_name_replaces_or_removes_a_folder_of_the_user(
        self, name: str, own_model: Path, models: dict[str, Path]
    ) -> None:
        directory = next(iter(models.values()))
        for change in (
            lambda: add_network(own_model.parent, name, directory),
            lambda: build_repository(own_model.parent, {name: directory}),
        ):
            with pytest.raises(ModelFormatError, match=r"name of a model: |was not written by TritonOCR"):
                change()
        if name != "mine":
            with pytest.raises(ModelFormatError, match="name of a model: "):
                remove_network(own_model.parent, name)
        assert (own_model / "1" / "weights").exists()
        assert (own_model.parents[1] / "mine" / "1" / "weights").exists()
