"""create_pipeline(): PaddleX's arguments and configuration."""

from pathlib import Path
from typing import Any

import pytest
from beside_checkout import shared
from kserve_fake import answer_with_lines, serving

import tritonocr
from tritonocr import _pipeline
from tritonocr._paddlex_config import options_of, pipeline_config

STATED = {
    "pipeline_name": "OCR",
    "use_textline_orientation": False,
    "SubPipelines": {"DocPreprocessor": {"use_doc_unwarping": False}},
    "SubModules": {
        "TextDetection": {"model_name": "PP-OCRv4_server_det", "thresh": 0.2, "limit_type": "min"},
        "TextRecognition": {"score_thresh": 0.5},
    },
}
STATED_OPTIONS = {
    "use_doc_unwarping": False,
    "use_textline_orientation": False,
    "text_det_limit_type": "min",
    "text_det_thresh": 0.2,
    "text_rec_score_thresh": 0.5,
    "text_detection_model_name": "PP-OCRv4_server_det",
}


def test_options_are_found_where_paddlex_keeps_them() -> None:
    assert options_of(STATED) == STATED_OPTIONS
    assert options_of({"pipeline_name": "OCR", "SubModules": None}) == {}


def test_the_preprocessor_switched_off_as_a_whole_is_off() -> None:
    options = options_of({**STATED, "use_doc_preprocessor": False})
    assert (options["use_doc_orientation_classify"], options["use_doc_unwarping"]) == (False, False)


@pytest.mark.parametrize("name", ["OCR_b1.yaml", "OCR_full_b1.yaml"])
def test_paddlexs_own_files_are_read(name: str) -> None:
    config = pipeline_config(str(shared("paddlex") / name), None)
    assert config is not None
    options = options_of(config)
    assert options["text_recognition_model_name"] == "PP-OCRv4_mobile_rec"
    assert options["text_det_limit_side_len"] == 960
    assert options["use_textline_orientation"] is ("full" in name)


@pytest.mark.parametrize(
    ("pipeline", "config", "sentence"),
    [
        ("table_recognition", None, "The pipeline is 'table_recognition'; expected 'OCR'"),
        ("OCR", {"pipeline_name": "seal_recognition"}, "The pipeline is 'seal_recognition'"),
        ("absent.yaml", None, "Cannot read the pipeline's configuration 'absent.yaml'"),
        ("broken.yaml", None, "^broken.yaml:1: not valid YAML: "),
        ("list.yaml", None, "is not a mapping of settings"),
        (
            "OCR",
            {"SubModules": {"TextDetection": 3}},
            "SubModules.TextDetection.limit_side_len of",
        ),
        ("OCR", {"SubModules": {"TextDetection": {"thresh": "high"}}}, "Option 'text_det_thresh' is 'high'"),
    ],
)
def test_a_wrong_pipeline_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pipeline: str, config: Any, sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("broken.yaml").write_text("a: [1")
    Path("list.yaml").write_text("- 1")
    with pytest.raises(tritonocr.InvalidInputError, match=sentence):
        tritonocr.create_pipeline(pipeline, config=config, url="localhost:1")


def test_a_wrong_dict_is_not_named_after_a_file_of_ours() -> None:
    config = {"pipeline_name": "OCR", "SubModules": {"TextRecognition": {"model_name": "nope"}}}
    with pytest.raises(
        tritonocr.InvalidInputError, match=r"^config: SubModules\.TextRecognition\.model_name: "
    ):
        tritonocr.create_pipeline(config=config)


@pytest.mark.parametrize(
    ("device", "sentence"),
    [
        ("nonsense", "^device: got 'nonsense', expected one of cpu, gpu, npu, "),
        ("", "^device: got '', expected one of cpu, gpu, npu, "),
        ("cpu:1", "^device: got 'cpu:1', but a CPU has no number"),
        ("gpu:0,0", "^device: got 'gpu:0,0', which contains a number twice"),
    ],
)
def test_a_device_that_does_not_exist_is_the_callers_mistake(device: str, sentence: str) -> None:
    with pytest.raises(tritonocr.InvalidInputError, match=sentence):
        tritonocr.create_pipeline(device=device)


def test_no_pipeline_is_the_configurations_own() -> None:
    config = {"pipeline_name": "OCR", "use_textline_orientation": False}
    with tritonocr.create_pipeline(None, config, url="localhost:1") as pipeline:
        assert pipeline.url.endswith("localhost:1")
    with pytest.raises(tritonocr.InvalidInputError, match="The pipeline is 'seal_recognition'"):
        tritonocr.create_pipeline(None, {"pipeline_name": "seal_recognition"}, url="localhost:1")


def test_a_configuration_becomes_options_of_each_request(tmp_path: Path) -> None:
    file = tmp_path / "mine.yml"
    file.write_text("pipeline_name: OCR\nSubModules:\n  TextDetection:\n    thresh: 0.2\n")
    with (
        serving(lambda inputs: answer_with_lines([str(inputs["text_det_thresh"].item())])) as (url, _),
        tritonocr.create_pipeline(file, url=url) as pipeline,
    ):
        first, second = (list(pipeline.predict(b"a", return_page_images=False, **given)) for given in (
            {}, {"text_det_thresh": 0.5}
        ))  # fmt: skip
    assert (first[0]["text_det_params"]["thresh"], second[0]["text_det_params"]["thresh"]) == (0.2, 0.5)
    assert (first[0].text[:3], second[0].text) == ("0.2", "0.5")


def test_page_pictures_are_asked_for_unless_told_not_to() -> None:
    with serving(lambda inputs: answer_with_lines([])) as (url, servicer):
        with tritonocr.create_pipeline(url=url) as pipeline:
            list(pipeline.predict(b"a"))
            list(pipeline.predict(b"a", return_page_images=False))
        with tritonocr.OCRClient(url) as client:
            client.ocr(b"a")
    asked = [
        [output.name for output in request.outputs if output.name.endswith("_images")]
        for request in servicer.requests
    ]
    assert asked == [["input_images", "preprocessed_images"], [], []]


def test_a_device_says_that_it_has_no_meaning_for_a_running_server() -> None:
    with pytest.warns(tritonocr.IgnoredArgumentWarning, match="device='gpu:0' is ignored") as warned:
        pipeline = tritonocr.create_pipeline(device="gpu:0", url="localhost:1")
    assert warned[0].filename == __file__
    with pytest.warns(tritonocr.IgnoredArgumentWarning, match="device='cpu' is ignored") as warned:
        pipeline.predict([], device="cpu")
    assert warned[0].filename == __file__
    pipeline.close()


def test_weights_of_ones_own_say_so_too() -> None:
    config = {
        "SubModules": {"TextDetection": {"model_dir": "./mine"}, "TextRecognition": {"model_dir": None}}
    }
    with pytest.warns(tritonocr.IgnoredArgumentWarning) as warned:
        tritonocr.create_pipeline(config=config, url="localhost:1").close()
    assert [str(warning.message) for warning in warned] == [
        "model_dir './mine' is ignored: a running server has models of its own."
    ]
    assert warned[0].filename == __file__


def test_keys_that_mean_nothing_are_named() -> None:
    config = {
        "pipeline_name": "OCR",
        "text_type": "general",
        "use_doc_preprocesor": True,
        "SubModules": {
            "TextDetection": {
                "module_name": "text_detection",
                "tresh": 0.2,
                "thresh": 0.2,
                "box_thresh": None,
            },
            "TextRecognition": {"model_name": "PP-OCRv4_mobile_rec", "batch_size": 6},
        },
        "SubPipelines": {"DocPreprocesor": {"use_doc_unwarping": True}},
    }
    with pytest.warns(tritonocr.IgnoredArgumentWarning) as warned:
        tritonocr.create_pipeline(config=config, url="localhost:1").close()
    assert [str(warning.message).partition(" of ")[0] for warning in warned] == [
        "use_doc_preprocesor",
        "SubModules.TextDetection.tresh",
        "SubPipelines.DocPreprocesor.use_doc_unwarping",
    ]
    assert str(warned[0].message).endswith(" has no meaning here and is ignored.")
    assert warned[0].filename == __file__


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(
            "pipeline_name: OCR\na: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
            + "".join(
                f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n" for old, new in ("ab", "bc", "cd", "de")
            ),
            id="aliases of aliases: 100 000 values",
        ),
        pytest.param("pipeline_name: OCR\na: &a [*a]\n", id="an alias that contains itself"),
        pytest.param("a: " + "[" * 5000, id="nested too deeply"),
        pytest.param("a: 2026-99-99\n", id="a date that does not exist"),
    ],
)
def test_a_hostile_configuration_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "OCR.yaml").write_text(text)
    with pytest.raises(tritonocr.InvalidInputError, match=r"OCR\.yaml"):
        tritonocr.create_pipeline(tmp_path / "OCR.yaml", url="localhost:1")


def test_a_server_of_its_own_is_stopped_once(monkeypatch: pytest.MonkeyPatch) -> None:
    stopped: list[str] = []

    def start(config: object, device: str | None) -> tuple[str, Any]:
        return "localhost:1", lambda: stopped.append(f"{config} {device}")

    monkeypatch.setattr(_pipeline, "start_server", start)
    with tritonocr.create_pipeline(device="cpu") as pipeline:
        pipeline.predict([], device="cpu")
        assert stopped == []
    pipeline.close()
    assert stopped == ["None cpu"]
