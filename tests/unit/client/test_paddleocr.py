"""`PaddleOCR` and `tritonocr ocr` with the arguments of the package `paddleocr` 3.7."""

import json
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kserve_fake import FakeServicer, Tensors, read_back, serving
from PIL import Image

import tritonocr
from tritonocr import InvalidInputError, PaddleOCR
from tritonocr._paddleocr_arguments import model_names, with_new_names
from tritonocr._results.saving import encoded_picture
from tritonocr_backend.core.settings import PipelineSettings

PICTURE = encoded_picture(Image.new("RGB", (20, 10), "white"), ".png")


def with_pictures(inputs: dict[str, Any]) -> Tensors:
    pictures = np.array([PICTURE], np.object_)
    return {**read_back(inputs), "input_images": pictures, "preprocessed_images": pictures}


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, FakeServicer]]:
    with serving(with_pictures) as running:
        yield running


def sent(servicer: FakeServicer) -> dict[str, Any]:
    request = servicer.requests[-1]
    contents = zip(request.inputs, request.raw_input_contents, strict=True)
    return {tensor.name: raw for tensor, raw in contents}


def test_predict_returns_a_list_and_sends_the_arguments(server: tuple[str, FakeServicer]) -> None:
    with PaddleOCR(
        text_detection_model_name="PP-OCRv5_mobile_det",
        text_recognition_model_name="PP-OCRv5_mobile_rec",
        use_doc_orientation_classify=False,
        use_doc_unwarping=False,
        use_textline_orientation=False,
        text_det_unclip_ratio=1.8,
        return_word_box=False,
        enable_mkldnn=True,
        url=server[0],
    ) as engine:
        (result,) = engine.predict(b"text", text_det_limit_side_len=736)
        assert result["rec_texts"] == ["text"]
        inputs = sent(server[1])
        assert inputs["text_detection_model_name"].endswith(b"PP-OCRv5_mobile_det")
        assert inputs["text_recognition_model_name"].endswith(b"PP-OCRv5_mobile_rec")
        assert inputs["use_doc_unwarping"] == b"\0"
        assert int.from_bytes(inputs["text_det_limit_side_len"], "little") == 736
        assert inputs["text_det_limit_type"].endswith(b"min"), "the default of PaddleX's OCR.yaml"
        assert int.from_bytes(inputs["max_pages"], "little") <= PipelineSettings.max_pages, "servers allow it"
        assert [page["rec_texts"] for page in engine.predict_iter([b"a", b"b"])] == [["a"], ["b"]]
        with pytest.warns(DeprecationWarning, match="Please use `predict`"):
            assert engine.ocr(b"old")[0]["rec_texts"] == ["old"]


def test_an_error_ends_the_call_as_in_paddleocr(server: tuple[str, FakeServicer]) -> None:
    with PaddleOCR(url=server[0]) as engine, pytest.raises(InvalidInputError, match="bad"):
        engine.predict([b"a", b"bad", b"c"])


@pytest.mark.parametrize(
    ("lang", "code"), [("en", b"en"), ("german", b"latin"), ("ja", b"japan"), ("ch", b"ch"), ("kn", b"ka")]
)
def test_the_server_chooses_by_language(server: tuple[str, FakeServicer], lang: str, code: bytes) -> None:
    with PaddleOCR(lang=lang, url=server[0]) as engine:
        engine.predict(b"a")
    assert sent(server[1])["lang"][4:] == code


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"unknown": 1}, "Unknown argument: unknown"),
        ({"lang": "klingon"}, "lang is 'klingon'; expected a language"),
        ({"ocr_version": "PP-OCRv9"}, "ocr_version is 'PP-OCRv9'"),
        ({"lang": "ar", "ocr_version": "PP-OCRv6"}, "No model of PP-OCRv6 reads lang='arabic'"),
        (
            {"det_db_thresh": 0.3, "text_det_thresh": 0.3},
            "`det_db_thresh` and `text_det_thresh` are mutually",
        ),
        ({"text_det_limit_type": "middle"}, "text_det_limit_type"),
    ],
)
def test_wrong_arguments_are_told_before_a_server_is_started(
    arguments: dict[str, Any], sentence: str
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        with pytest.raises(InvalidInputError, match=sentence):
            PaddleOCR(**arguments)


def test_paddleocr_2s_names_are_replaced() -> None:
    given: dict[str, Any] = {"use_textline_orientation": None, "text_det_thresh": None}
    with pytest.warns(DeprecationWarning, match="`use_angle_cls` is deprecated"):
        renamed = with_new_names(given, {"use_angle_cls": True, "cpu_threads": 8})
    assert renamed == {"use_textline_orientation": True, "text_det_thresh": None}


@pytest.mark.parametrize(
    ("code", "version", "recognition"),
    [
        ("en", None, "PP-OCRv6_small_rec"),
        ("korean", None, "korean_PP-OCRv3_mobile_rec"),
        ("ch", "PP-OCRv4", "PP-OCRv4_mobile_rec"),
        ("en", "PP-OCRv4", "en_PP-OCRv4_mobile_rec"),
        ("japan", "PP-OCRv5", "PP-OCRv5_mobile_rec"),
        ("ch", "PP-OCRv3", "PP-OCRv3_mobile_rec"),
    ],
)
def test_models_by_language_and_generation(code: str, version: str | None, recognition: str) -> None:
    assert model_names(code, version)[1] == recognition


def test_the_configuration_is_written_as_yaml(server: tuple[str, FakeServicer], tmp_path: Path) -> None:
    with PaddleOCR(url=server[0], text_det_thresh=0.4) as engine:
        engine.export_paddlex_config_to_yaml(tmp_path / "OCR.yaml")
    with tritonocr.create_pipeline(tmp_path / "OCR.yaml", url=server[0]) as pipeline:
        list(pipeline.predict(b"a"))
    assert json.loads((tmp_path / "OCR.yaml").read_text())["SubModules"]["TextDetection"]["thresh"] == 0.4
    assert "text_det_thresh" in sent(server[1])


def test_the_command_has_paddleocrs_flags(server: tuple[str, FakeServicer], tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"text")
    code = "from tritonocr.cli._ocr import ocr; import typer; app = typer.Typer(); app.command()(ocr); app()"
    flags = "--use_doc_unwarping False --use_angle_cls true --text_det_thresh 0.4 --lang en --enable_hpi true"
    call = [sys.executable, "-c", code, "-i", "a.png", "--save_path", "out", *flags.split()]
    environment = {**os.environ, "TRITONOCR_URL": server[0]}
    done = subprocess.run(call, capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=60)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["res"]["rec_texts"] == ["text"]
    assert "`use_angle_cls` is deprecated; use `use_textline_orientation`" in done.stderr
    assert json.loads((tmp_path / "out" / "a_res.json").read_text())["rec_texts"] == ["text"]
    assert sent(server[1])["use_textline_orientation"] == b"\1"
