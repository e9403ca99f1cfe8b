"""Building a model repository from model directories in PaddleX's shape."""

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
from tritonocr_backend.repository.build import (
    add_network,
    build_repository,
    remove_network,
    source_repository,
)
from tritonocr_backend.repository.network_config import ServingSettings
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
    """A small ONNX network of that role in PaddleX's layout."""
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
    def test_holds_the_stages_and_the_networks(self, models: dict[str, Path], tmp_path: Path) -> None:
        target = build_repository(tmp_path / "repository", models)
        assert {path.name for path in target.iterdir()} == {*PIPELINE_MODELS, *models}
        for folder in target.iterdir():
            assert parsed(folder).name == folder.name
            assert (folder / "1" / "model.py").is_file()
            assert stat.S_IMODE(folder.stat().st_mode) == 0o755, "tritonserver may run as another user"

    def test_leaves_nothing_beside_it(self, models: dict[str, Path], tmp_path: Path) -> None:
        before = set(tmp_path.iterdir())
        build_repository(tmp_path / "repository", models)
        assert set(tmp_path.iterdir()) == before | {tmp_path / "repository"}

    def test_an_earlier_build_is_replaced_and_other_files_stay(
        self, models: dict[str, Path], tmp_path: Path
    ) -> None:
        target = build_repository(tmp_path / "repository", models)
        (target / "notes.txt").write_text("mine")
        kept = {"my_text_detection": models["my_text_detection"]}
        build_repository(target, kept)
        assert {path.name for path in target.iterdir()} == {*PIPELINE_MODELS, *kept, "notes.txt"}

    def test_both_doors_get_the_pipelines_settings(self, models: dict[str, Path], tmp_path: Path) -> None:
        settings = PipelineSettings(
            networks={Role.TEXT_DETECTION: "my_text_detection"},
            options={**default_options(), "text_det_thresh": 0.0},
        )
        target = build_repository(tmp_path / "repository", models, settings)
        for door in ("ocr", "ocr_stream"):
            assert read_pipeline_settings(target / door / "1") == settings
            parameters = parsed(target / door).parameters
            assert parameters["text_det_thresh"].string_value == "0.0"
            assert parameters["use_doc_unwarping"].string_value == "True"
            assert "lang" not in parameters, "what the server chooses has no value"

    @pytest.mark.parametrize("name", ["ocr", "text_crop", "my_text_recognition", "text_recognition"])
    def test_instances_are_counted_by_model_or_role(
        self, name: str, models: dict[str, Path], tmp_path: Path
    ) -> None:
        serving = ServingSettings(instances={name: 7})
        target = build_repository(tmp_path / "repository", models, serving=serving)
        folder = "my_text_recognition" if name == "text_recognition" else name
        counts = {path.name: parsed(path).instance_group[0].count for path in target.iterdir()}
        assert counts.pop(folder) == 7
        assert name != "ocr" or counts.pop("ocr_stream") == 7, "PDFs go to the one, pictures to the other"
        assert 7 not in counts.values()

    def test_the_checkout_holds_what_is_copied(self) -> None:
        assert {path.parent.name for path in source_repository().glob("*/config.pbtxt")} >= set(
            PIPELINE_MODELS
        )


class TestNetwork:
    @pytest.mark.parametrize("role", Role)
    def test_is_described_by_its_roles_contract(self, role: Role, tmp_path: Path) -> None:
        card = add_network(tmp_path, "mine", model_dir(tmp_path, role))
        assert (card.name, card.role) == ("mine", role)
        assert read_network_metadata(tmp_path / "mine" / "1") == card
        config = parsed(tmp_path / "mine")
        assert list(config.input[0].dims) == [*(size or -1 for size in IMAGE_SIZES[role]), 3]
        assert (tmp_path / "mine" / "1" / "model.onnx").is_file()

    def test_of_recognition_comes_with_its_dictionary(self, tmp_path: Path) -> None:
        card = add_network(tmp_path, "mine", model_dir(tmp_path, Role.TEXT_RECOGNITION))
        text = (tmp_path / "mine" / "1" / CHARACTERS_FILE).read_text(encoding="utf-8")
        assert json.loads(text) == ["a", "b", "c", "d", "中"]
        assert "中" in text
        assert card.languages[0] == "japan"

    def test_known_by_its_architecture_brings_its_thresholds(self, tmp_path: Path) -> None:
        card = add_network(tmp_path, "mine", model_dir(tmp_path, Role.TEXT_DETECTION))
        assert card.options == {
            "text_det_thresh": 0.2,
            "text_det_box_thresh": 0.45,
            "text_det_unclip_ratio": 1.4,
        }

    def test_that_nobody_knows_has_none(self, tmp_path: Path) -> None:
        card = add_network(tmp_path, "mine", model_dir(tmp_path, Role.TEXT_RECOGNITION, "my_own_net"))
        assert (card.languages, card.options, card.generation) == ((), {}, 0)

    @pytest.mark.parametrize(
        ("role", "serving", "precision"),
        [
            pytest.param(Role.TEXT_DETECTION, {}, "auto", id="what the CPU is best at"),
            pytest.param(Role.DOC_UNWARPING, {}, "f32", id="a grid in bf16 is off by pixels"),
            pytest.param(Role.DOC_UNWARPING, {"precision": "bf16"}, "bf16", id="unless asked for"),
            pytest.param(
                Role.TEXT_DETECTION,
                {"precision": "bf16", "precision_of_role": {Role.TEXT_DETECTION: "f32"}},
                "f32",
                id="a role's own first",
            ),
        ],
    )
    def test_has_the_precision_stated_for_it_or_its_roles_own(
        self, role: Role, serving: dict[str, object], precision: str, tmp_path: Path
    ) -> None:
        settings = ServingSettings(**serving)  # type: ignore[arg-type]
        assert add_network(tmp_path, "mine", model_dir(tmp_path, role), settings).precision == precision

    def test_of_paddle_files_is_served_by_paddle_as_it_is(self, tmp_path: Path) -> None:
        card = add_network(tmp_path, "mine", paddle_dir(tmp_path), ServingSettings(engine="openvino"))
        assert card.engine == "paddle"
        version = tmp_path / "mine" / "1"
        assert (version / "inference.pdmodel").read_bytes() == b"inference.pdmodel"
        assert (version / "inference.pdiparams").read_bytes() == b"inference.pdiparams"

    @pytest.mark.parametrize(
        ("asked", "engine"), [("openvino", "openvino"), ("auto", "auto"), ("paddle", "auto")]
    )
    def test_of_onnx_is_served_by_what_can_read_it(self, asked: str, engine: str, tmp_path: Path) -> None:
        source = model_dir(tmp_path, Role.TEXT_DETECTION)
        assert add_network(tmp_path, "mine", source, ServingSettings(engine=asked)).engine == engine

    def test_can_be_removed_and_removed_again(self, tmp_path: Path) -> None:
        add_network(tmp_path, "mine", model_dir(tmp_path, Role.TEXT_DETECTION))
        remove_network(tmp_path, "mine")
        remove_network(tmp_path, "mine")
        assert not (tmp_path / "mine").exists()


class TestWholeOrNotAtAll:
    @pytest.fixture
    def repository(self, tmp_path: Path) -> Path:
        path = tmp_path / "repository"
        path.mkdir()
        add_network(path, "mine", model_dir(tmp_path, Role.TEXT_DETECTION))
        return path

    @pytest.mark.parametrize(
        ("broken", "message"),
        [
            pytest.param("inference.onnx", "is not an ONNX model", id="a network that is none"),
            pytest.param("inference.yml", "inference.yml", id="a description that is none"),
        ],
    )
    def test_what_fails_leaves_the_earlier_one_and_nothing_beside_it(
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
    def test_a_directory_without_a_network_is_refused(
        self, missing: str, repository: Path, tmp_path: Path
    ) -> None:
        source = model_dir(tmp_path, Role.TEXT_RECOGNITION)
        (source / missing).unlink()
        with pytest.raises(ModelFormatError, match=missing):
            add_network(repository, "other", source)
        assert not (repository / "other").exists()

    def test_paddle_files_without_their_weights_are_refused(self, repository: Path, tmp_path: Path) -> None:
        source = paddle_dir(tmp_path)
        (source / "inference.pdiparams").unlink()
        with pytest.raises(ModelFormatError, match=r"has no inference\.pdiparams"):
            add_network(repository, "other", source)


class TestCores:
    """Instance counts follow the cores of the serving machine, or what the settings state."""

    @pytest.mark.parametrize(
        ("cores", "stated", "expected", "reason"),
        [
            (64, {}, 8, "the serving machine has 64 cores, whatever this one has"),
            (8, {}, 1, "a smaller machine"),
            (64, {"text_detection_postprocess": 3}, 3, "a stated number comes first"),
        ],
    )
    def test_a_stages_processes(
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


class TestFoldersOfOthers:
    """Folders that TritonOCR did not write are neither replaced nor removed."""

    @pytest.fixture
    def own_model(self, tmp_path: Path) -> Path:
        """Return a folder of the user's own Triton model, in the repository and beside it."""
        for path in (tmp_path / "repository" / "mine", tmp_path / "mine"):
            (path / "1").mkdir(parents=True)
            (path / "config.pbtxt").write_text('name: "mine"')
            (path / "1" / "weights").touch()
        return tmp_path / "repository" / "mine"

    def test_a_model_of_the_users_own_stays_in_the_repository(
        self, own_model: Path, models: dict[str, Path]
    ) -> None:
        build_repository(own_model.parent, models)
        assert (own_model / "1" / "weights").exists()

    @pytest.mark.parametrize("name", ["mine", "../mine", ".", "..", "/nowhere", "", "ocr"])
    def test_a_name_never_replaces_or_removes_such_a_folder(
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
