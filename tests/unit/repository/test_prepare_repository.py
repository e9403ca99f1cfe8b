"""Test which files and which thresholds the repository of a pipeline configuration uses."""

from dataclasses import replace
from pathlib import Path

import networks
import pytest

from tritonocr_backend.core.contracts import Role
from tritonocr_backend.core.network_metadata import read_network_metadata
from tritonocr_backend.core.settings import effective_options, read_pipeline_settings
from tritonocr_backend.repository import pipeline_config, prepare
from tritonocr_backend.repository.prepare import prepare_repository
from tritonocr_backend.repository.serving_settings import ServingSettings
from tritonocr_backend.zoo import cache, inference_config
from tritonocr_backend.zoo.errors import FetchError
from tritonocr_backend.zoo.layout import FileFormat

pytestmark = pytest.mark.usefixtures("home")

DETECTOR, RECOGNISER = "PP-OCRv4_mobile_det", "PP-OCRv4_mobile_rec"
CONFIG = replace(
    pipeline_config.default(),
    networks={Role.TEXT_DETECTION: DETECTOR, Role.TEXT_RECOGNITION: RECOGNISER},
)


def put_into_cache(name: str, role: Role, file_format: FileFormat) -> None:
    """Write a small network into the cache, as a download does."""
    directory = cache.model_dir(name, file_format)
    directory.mkdir(parents=True)
    inference_config.save(inference_config.compose(role, name, characters="abc"), directory)
    if file_format == "onnx":
        network = networks.detection() if role is Role.TEXT_DETECTION else networks.recognition(5)
        (directory / "inference.onnx").write_bytes(network)
    else:
        (directory / "inference.pdmodel").touch()
        (directory / "inference.pdiparams").touch()


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")


@pytest.mark.parametrize("engine", ["auto", "openvino", "onnxruntime"])
def test_paddle_files_replace_missing_onnx_files(engine: str, tmp_path: Path) -> None:
    put_into_cache("PP-OCRv4_server_det", Role.TEXT_DETECTION, "paddle")  # the format of the archive
    put_into_cache(RECOGNISER, Role.TEXT_RECOGNITION, "onnx")
    config = replace(CONFIG, networks={**CONFIG.networks, Role.TEXT_DETECTION: "PP-OCRv4_server_det"})
    repository = prepare_repository(tmp_path / "built", config, serving=ServingSettings(engine=engine))
    assert read_network_metadata(repository / "PP-OCRv4_server_det" / "1").engine == "paddle"
    assert read_network_metadata(repository / RECOGNISER / "1").engine == engine


def test_only_the_paddle_engine_prefers_paddle_files(tmp_path: Path) -> None:
    for file_format in ("onnx", "paddle"):
        put_into_cache(DETECTOR, Role.TEXT_DETECTION, file_format)  # type: ignore[arg-type]
        put_into_cache(RECOGNISER, Role.TEXT_RECOGNITION, file_format)  # type: ignore[arg-type]
    version = Path(DETECTOR, "1")
    prepare_repository(tmp_path / "built", CONFIG)
    assert (tmp_path / "built" / version / "model.onnx").exists()
    prepare_repository(tmp_path / "built", CONFIG, serving=ServingSettings(engine="paddle"))
    assert (tmp_path / "built" / version / "inference.pdmodel").exists()


def test_cached_paddle_files_do_not_replace_the_onnx_file_of_a_wheel(tmp_path: Path) -> None:
    put_into_cache(DETECTOR, Role.TEXT_DETECTION, "paddle")
    put_into_cache(RECOGNISER, Role.TEXT_RECOGNITION, "onnx")
    with pytest.raises(FetchError, match=r"wheel rapidocr-onnxruntime 1\.4\.4"):
        prepare_repository(tmp_path / "built", CONFIG)


def test_stated_thresholds_apply_only_to_the_detector_of_the_pipeline(tmp_path: Path) -> None:
    for name in ("PP-OCRv6_small_det", "PP-OCRv6_tiny_det"):
        put_into_cache(name, Role.TEXT_DETECTION, "onnx")
    put_into_cache(RECOGNISER, Role.TEXT_RECOGNITION, "onnx")
    config = replace(
        CONFIG,
        networks={**CONFIG.networks, Role.TEXT_DETECTION: "PP-OCRv6_small_det"},
        options={"text_det_thresh": 0.35, "text_rec_score_thresh": 0.5},
    )
    built = prepare_repository(tmp_path / "built", config, more_models=["PP-OCRv6_tiny_det"])
    settings = read_pipeline_settings(built / "ocr" / "1")
    thresholds = [
        effective_options(settings, {Role.TEXT_DETECTION: name}, read_network_metadata(built / name / "1"))
        for name in ("PP-OCRv6_small_det", "PP-OCRv6_tiny_det")
    ]
    assert [options["text_det_thresh"] for options in thresholds] == [0.35, 0.2]
    assert [options["text_det_box_thresh"] for options in thresholds] == [0.45, 0.4]


@pytest.mark.parametrize(("exact", "precision"), [(True, "f32"), (False, "auto")])
def test_an_exact_pipeline_unwarps_in_f32(
    exact: bool, precision: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, role in ((DETECTOR, Role.TEXT_DETECTION), (RECOGNISER, Role.TEXT_RECOGNITION)):
        put_into_cache(name, role, "onnx")
    seen: list[ServingSettings] = []

    def build(target: Path, models: object, settings: object, serving: ServingSettings) -> Path:
        seen.append(serving)
        return target

    monkeypatch.setattr(prepare, "build_repository", build)
    prepare_repository(tmp_path / "built", CONFIG, exact=exact)
    assert seen[0].precision_of_role.get(Role.DOC_UNWARPING, "auto") == precision
