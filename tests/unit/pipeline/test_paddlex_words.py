"""Word boxes of a real page, read by the real networks in this process: those that PaddleX recorded."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tritonocr_backend.core.arrays import Tensors
from tritonocr_backend.core.contracts import IMAGE, STAGE_OUTPUTS
from tritonocr_backend.core.geometry import bounding_boxes
from tritonocr_backend.core.network_metadata import read_network_metadata
from tritonocr_backend.core.repository_view import RepositoryView
from tritonocr_backend.core.settings import DEFAULT_NETWORKS, default_options
from tritonocr_backend.documents.pages import Page, unreduced
from tritonocr_backend.engines import Engine, EngineOptions, Network, create_engine
from tritonocr_backend.pipeline.ocr_pipeline import OcrPipeline
from tritonocr_backend.pipeline.records import PageResult, PageSettings
from tritonocr_backend.pipeline.stages import run_stage
from tritonocr_common.option_types import OptionValues
from tritonocr_common.options import OPTIONS


class InProcess:
    """A ModelCaller that runs a repository's models in this process."""

    def __init__(self, repository: Path) -> None:
        self._repository = repository
        self._engines: dict[str, Engine] = {}

    async def __call__(self, model: str, inputs: Tensors, outputs: Sequence[str]) -> dict[str, NDArray[Any]]:
        if model in STAGE_OUTPUTS:
            return run_stage(model, inputs, RepositoryView(self._repository))
        if model not in self._engines:
            directory = self._repository / model / "1"
            metadata = read_network_metadata(directory)
            options = EngineOptions(precision="f32")
            network = Network(directory, metadata.role, tuple(outputs), metadata.normalisation, options)
            self._engines[model] = create_engine("openvino", network)
        return dict(zip(outputs, self._engines[model].infer(inputs[IMAGE]), strict=True))


@pytest.fixture(scope="module")
def recorded(corpus: Path) -> dict[str, Any]:
    text = (corpus / "reference" / "word_box_example.json").read_text(encoding="utf-8")
    return json.loads(text)["res"]  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def result(default_repository: Path, corpus: Path, recorded: dict[str, Any]) -> PageResult:
    page = np.asarray(cv2.imread(str(corpus / "edge" / recorded["input_path"])), dtype=np.uint8)
    params = recorded["text_det_params"]
    options = {
        **default_options(),
        **{f"text_det_{name}": params[name] for name in params if f"text_det_{name}" in OPTIONS},
        "use_doc_orientation_classify": False,
        "use_doc_unwarping": False,
        "use_textline_orientation": False,
        "text_rec_score_thresh": recorded["text_rec_score_thresh"],
        "return_word_box": True,
    }
    settings = PageSettings(
        networks=dict(DEFAULT_NETWORKS), options=cast(OptionValues, options), max_candidates=1000, exact=True
    )
    pipeline = OcrPipeline(InProcess(default_repository))
    return asyncio.run(pipeline.read(Page.reduced(page, unreduced), settings))


def test_the_lines_are_those_recorded(result: PageResult, recorded: dict[str, Any]) -> None:
    assert result.boxes.quads.tolist() == recorded["dt_polys"]
    assert [line.text for line in result.lines] == recorded["rec_texts"]
    assert [line.score for line in result.lines] == pytest.approx(recorded["rec_scores"], abs=1e-3)


def test_so_are_their_words(result: PageResult, recorded: dict[str, Any]) -> None:
    assert [[word.text for word in line.words] for line in result.lines] == recorded["text_word"]


def test_and_the_words_boxes(result: PageResult, recorded: dict[str, Any]) -> None:
    boxes = [bounding_boxes(np.array([word.quad for word in line.words])).tolist() for line in result.lines]
    assert boxes == recorded["text_word_boxes"]
