"""The settings of a pipeline: the values in force, and the file of the settings."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from tritonocr_backend.core.contracts import Role
from tritonocr_backend.core.network_metadata import NetworkMetadata, Normalisation
from tritonocr_backend.core.settings import (
    DEFAULT_NETWORKS,
    PIPELINE_FILE,
    PipelineSettings,
    default_options,
    effective_options,
    read_pipeline_settings,
    write_pipeline_settings,
)

DETECTION = NetworkMetadata(
    "v6_det",
    Role.TEXT_DETECTION,
    Normalisation(1.0, (0, 0, 0), (1, 1, 1), "BGR"),
    options={"text_det_thresh": 0.2, "text_det_unclip_ratio": 1.4},
)
OTHER = {**DEFAULT_NETWORKS, Role.TEXT_DETECTION: "v6_det"}


@pytest.mark.parametrize(
    ("networks", "stated", "request_options", "expected"),
    [
        pytest.param(DEFAULT_NETWORKS, {}, {}, 0.2, id="the network's threshold, not the table's"),
        pytest.param(
            DEFAULT_NETWORKS, {"text_det_thresh": 0.5}, {}, 0.5, id="OCR.yaml over the pipeline's network"
        ),
        pytest.param(
            OTHER, {"text_det_thresh": 0.5}, {}, 0.2, id="another network's threshold over OCR.yaml"
        ),
        pytest.param(OTHER, {}, {"text_det_thresh": 0.0}, 0.0, id="the request over all, 0 included"),
        pytest.param(
            DEFAULT_NETWORKS,
            {"text_det_thresh": 0.5},
            {"text_det_thresh": 0.1},
            0.1,
            id="the request over OCR.yaml",
        ),
    ],
)
def test_the_last_of_the_sources_wins(
    networks: dict[Role, str], stated: dict[str, Any], request_options: dict[str, Any], expected: float
) -> None:
    settings = PipelineSettings(options=stated)
    options = effective_options(settings, networks, DETECTION, request_options)
    assert options["text_det_thresh"] == expected
    assert options["text_det_unclip_ratio"] == 1.4
    assert options["text_det_box_thresh"] == 0.6


def test_options_in_force_have_the_models_names_and_every_option() -> None:
    options = effective_options(PipelineSettings(), DEFAULT_NETWORKS, None)
    assert list(options) == list(default_options())
    assert options["text_detection_model_name"] == "PP-OCRv4_mobile_det"
    assert options["text_recognition_model_name"] == "PP-OCRv4_mobile_rec"


def test_the_limit_on_pages_bounds_the_default() -> None:
    settings = PipelineSettings(options={"max_pages": 50}, max_pages=3)
    assert effective_options(settings, DEFAULT_NETWORKS, None)["max_pages"] == 3


def test_defaults_are_the_tutorials() -> None:
    """An option that PaddleX does not have must change nothing by default, so each is listed too."""
    assert default_options() == {
        "use_doc_orientation_classify": True,
        "use_doc_unwarping": True,
        "use_textline_orientation": True,
        "pdf_dpi": 0,
        "pdf_text": "ocr",
        "text_det_limit_side_len": 960,
        "text_det_limit_type": "max",
        "text_det_thresh": 0.3,
        "text_det_box_thresh": 0.6,
        "text_det_unclip_ratio": 2.0,
        "text_rec_score_thresh": 0.0,
        "text_detection_model_name": "",
        "text_recognition_model_name": "",
        "lang": "",
        "coordinates": "output",
        "return_word_box": False,
        "return_char_box": False,
        "return_page_images": False,
        "max_pages": 10,
    }


def test_every_role_has_a_default_network() -> None:
    assert set(DEFAULT_NETWORKS) == set(Role)


class TestSettingsFile:
    @pytest.mark.parametrize(
        "settings",
        [
            pytest.param(PipelineSettings(), id="defaults"),
            pytest.param(
                PipelineSettings(
                    networks={Role.TEXT_DETECTION: "det", Role.TEXT_RECOGNITION: "识别"},
                    options={"text_det_thresh": 0.0, "lang": ""},
                    exact=True,
                    max_pixels=1,
                    max_candidates=2,
                    pages_in_flight=3,
                ),
                id="everything set",
            ),
        ],
    )
    def test_comes_back_as_it_was_written(self, settings: PipelineSettings, tmp_path: Path) -> None:
        write_pipeline_settings(settings, tmp_path)
        assert read_pipeline_settings(tmp_path) == settings

    def test_holds_every_setting_by_name(self, tmp_path: Path) -> None:
        write_pipeline_settings(PipelineSettings(), tmp_path)
        written = json.loads((tmp_path / PIPELINE_FILE).read_text(encoding="utf-8"))
        assert set(written) == {field.name for field in dataclasses.fields(PipelineSettings)}
        assert written["networks"]["text_detection"] == "PP-OCRv4_mobile_det"
