"""Test the import of users' models: models that fit their role are imported, others are rejected."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import networks
import pytest

from tritonocr_backend.core.contracts import PIPELINE_MODELS, Role
from tritonocr_backend.zoo import conversion, inference_config, probe, registry
from tritonocr_backend.zoo.errors import ModelFormatError
from tritonocr_backend.zoo.fetch import fetch_model
from tritonocr_backend.zoo.importing import import_model

RECOGNITION = {
    "inference.yml": networks.inference_yml(Role.TEXT_RECOGNITION, "en_PP-OCRv3_mobile_rec", "abc"),
    "inference.onnx": networks.recognition(5),
}
DETECTION = {
    "inference.yml": networks.inference_yml(Role.TEXT_DETECTION, "PP-OCRv6_small_det"),
    "inference.onnx": networks.detection(),
}
ORIENTATION = {
    "inference.yml": networks.inference_yml(Role.TEXTLINE_ORIENTATION, "PP-LCNet_x0_25_textline_ori"),
    "inference.onnx": networks.classifier(2),
}


def _directory(tmp_path: Path, files: Mapping[str, bytes]) -> Path:
    path = tmp_path / "source"
    path.mkdir()
    for name, content in files.items():
        (path / name).write_bytes(content)
    return path


class TestDirectories:
    @pytest.mark.parametrize(
        ("files", "role"),
        [
            (RECOGNITION, Role.TEXT_RECOGNITION),
            (DETECTION, Role.TEXT_DETECTION),
            (ORIENTATION, Role.TEXTLINE_ORIENTATION),
        ],
    )
    def test_a_paddlex_directory_is_imported_and_registered(
        self, files: Mapping[str, bytes], role: Role, tmp_path: Path
    ) -> None:
        import_model(_directory(tmp_path, files), "mine")
        assert registry.find("mine").role is role
        assert (fetch_model("mine") / "inference.onnx").read_bytes() == files["inference.onnx"]

    def test_languages_and_settings_come_from_the_official_model(self, tmp_path: Path) -> None:
        assert import_model(_directory(tmp_path, RECOGNITION), "mine").languages == ("en",)
        (tmp_path / "source").rename(tmp_path / "other")
        assert import_model(_directory(tmp_path, DETECTION), "mine2").postprocess.box_thresh == 0.45

    def test_a_second_import_replaces_the_first(self, tmp_path: Path) -> None:
        source = _directory(tmp_path, RECOGNITION)
        import_model(source, "mine")
        for name, content in DETECTION.items():
            (source / name).write_bytes(content)
        import_model(source, "mine")
        assert registry.find("mine").role is Role.TEXT_DETECTION
        assert len(registry.imported()) == 1

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            pytest.param(
                {"inference.onnx": networks.recognition(6)},
                "3 lines needs 5 classes .*, the network has 6",
                id="dictionary of another network",
            ),
            pytest.param(
                {"inference.onnx": networks.detection()},
                r"got output \[2, 1, 48, 320\], expected \[B, T, classes\]",
                id="network of another role",
            ),
            pytest.param(
                {"inference.onnx": networks.recognition(5, softmax=False)},
                "must end in a softmax: the sum of the output's classes is not 1",
                id="no softmax",
            ),
            pytest.param(
                {"inference.onnx": b"\x00" * 100}, "the network does not run", id="not an ONNX file"
            ),
            pytest.param(
                {"inference.yml": b"Global: 1"},
                "Global: got 1, expected a mapping",
                id="invalid inference.yml",
            ),
        ],
    )
    def test_a_model_that_does_not_fit_is_rejected_and_leaves_no_files(
        self, changes: Mapping[str, bytes], message: str, tmp_path: Path, home: Path
    ) -> None:
        source = _directory(tmp_path, {**RECOGNITION, **changes})
        with pytest.raises(ModelFormatError, match=message):
            import_model(source, "mine")
        assert not (home / "models").exists()
        assert registry.imported() == ()

    def test_a_rejected_import_keeps_the_earlier_model(self, tmp_path: Path) -> None:
        source = _directory(tmp_path, RECOGNITION)
        import_model(source, "mine")
        (source / "inference.onnx").write_bytes(b"broken")
        with pytest.raises(ModelFormatError):
            import_model(source, "mine")
        assert (fetch_model("mine") / "inference.onnx").read_bytes() == RECOGNITION["inference.onnx"]

    def test_a_classifier_with_too_many_classes_is_rejected(self, tmp_path: Path) -> None:
        source = _directory(tmp_path, {**ORIENTATION, "inference.onnx": networks.classifier(3)})
        with pytest.raises(ModelFormatError, match=r"got output \[2, 3\], expected \[2, 2\]"):
            import_model(source, "mine")

    @pytest.mark.parametrize(
        ("missing", "message"),
        [("inference.yml", r"has no inference\.yml"), ("inference.onnx", r"has none of inference\.onnx")],
    )
    def test_the_error_names_the_missing_file(self, missing: str, message: str, tmp_path: Path) -> None:
        source = _directory(tmp_path, RECOGNITION)
        (source / missing).unlink()
        with pytest.raises(ModelFormatError, match=f"{source} {message}"):
            import_model(source, "mine")


class TestOnnxFiles:
    def test_an_onnx_file_with_a_dictionary_is_a_recognition_model(self, tmp_path: Path) -> None:
        source = _directory(
            tmp_path, {"rec.onnx": networks.recognition(5), "dict.txt": "a\r\n　\r\nc\r\n".encode()}
        )
        model = import_model(source / "rec.onnx", "mine", dictionary_file=source / "dict.txt")
        assert model.role is Role.TEXT_RECOGNITION
        assert inference_config.load(fetch_model("mine")).characters == ("a", "　", "c")

    def test_the_dictionary_in_the_metadata_is_read(self, tmp_path: Path) -> None:
        network = networks.recognition(4, metadata={"character": "x\ny"})
        import_model(_directory(tmp_path, {"rec.onnx": network}) / "rec.onnx", "mine")
        assert inference_config.load(fetch_model("mine")).characters == ("x", "y")

    def test_the_role_of_an_onnx_file_can_be_given(self, tmp_path: Path) -> None:
        source = _directory(tmp_path, {"det.onnx": networks.detection()})
        assert import_model(source / "det.onnx", "mine", role=Role.TEXT_DETECTION).role is Role.TEXT_DETECTION

    @pytest.mark.parametrize(
        ("role", "message"),
        [(None, "the role of .* is not known"), (Role.TEXT_RECOGNITION, "contains no dictionary")],
    )
    def test_an_unknown_role_or_dictionary_is_rejected(
        self, role: Role | None, message: str, tmp_path: Path
    ) -> None:
        source = _directory(tmp_path, {"rec.onnx": networks.recognition(5)})
        with pytest.raises(ModelFormatError, match=message):
            import_model(source / "rec.onnx", "mine", role=role)

    def test_a_file_that_is_not_onnx_is_rejected(self, tmp_path: Path) -> None:
        source = _directory(tmp_path, {"readme.onnx": b"text"})
        with pytest.raises(ModelFormatError, match="is not an ONNX model"):
            import_model(source / "readme.onnx", "mine")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("PP-OCRv4_mobile_rec", "is the name of an official model"),
        *((stage, "is the name of a stage") for stage in sorted(PIPELINE_MODELS)),
        ("../up", "expected 1 to 100 letters"),
        ("", "expected 1 to 100 letters"),
        (".hidden", "expected 1 to 100 letters"),
        ("a b", "expected 1 to 100 letters"),
    ],
)
def test_a_name_that_cannot_be_served_is_rejected(name: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ModelFormatError, match=message):
        import_model(_directory(tmp_path, RECOGNITION), name)


@pytest.fixture(scope="module")
def paddle_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a small recognition network that Paddle saves in a subprocess."""
    path = tmp_path_factory.mktemp("paddle")
    program = Path(__file__).parents[2] / "paddle_network.py"
    subprocess.run([sys.executable, str(program), str(path)], check=True, capture_output=True)
    (path / "inference.yml").write_bytes(networks.inference_yml(Role.TEXT_RECOGNITION, "tuned", "abc"))
    return path


class TestPaddle:
    def test_paddle_files_are_run_and_imported(self, paddle_dir: Path) -> None:
        import_model(paddle_dir, "mine")
        assert {"inference.json", "inference.pdiparams"} < {
            path.name for path in fetch_model("mine").iterdir()
        }

    def test_a_wrong_dictionary_of_paddle_files_is_rejected(self, paddle_dir: Path, tmp_path: Path) -> None:
        files = {path.name: path.read_bytes() for path in paddle_dir.iterdir()}
        files["inference.yml"] = networks.inference_yml(Role.TEXT_RECOGNITION, "tuned", "abcd")
        with pytest.raises(ModelFormatError, match=r"4 lines needs 6 classes .*, the network has 5"):
            import_model(_directory(tmp_path, files), "mine")

    def test_a_broken_paddle_network_is_rejected(self, paddle_dir: Path, tmp_path: Path) -> None:
        files = {path.name: path.read_bytes() for path in paddle_dir.iterdir()}
        del files["inference.json"]
        files["inference.pdmodel"] = b"garbage" * 100
        with pytest.raises(ModelFormatError, match=r"Paddle crashes|does not run"):
            import_model(_directory(tmp_path, files), "mine")

    def test_a_conversion_with_different_outputs_is_rejected(self, paddle_dir: Path, tmp_path: Path) -> None:
        other = _directory(tmp_path, RECOGNITION)
        config = inference_config.load(paddle_dir)
        assert probe.run(paddle_dir, "paddle", probe.sample(config)).shape == (2, 40, 5)
        with pytest.raises(
            ModelFormatError, match=r"differs from the original by 0\.\d+, the limit is 0\.001"
        ):
            conversion.compare(paddle_dir, other, config)
