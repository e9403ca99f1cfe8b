"""OpenVINO and ONNX Runtime read a page alike in f32 with all options on, above 17 megapixels too.

Sampling inside the graph broke beyond 2^24 elements: OpenVINO addresses pixels in float32 there.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from bent_pages import photograph, text_page
from numpy.typing import NDArray

from tritonocr_backend.core.arrays import Tensors
from tritonocr_backend.core.contracts import IMAGE, STAGE_OUTPUTS
from tritonocr_backend.core.network_metadata import read_network_metadata
from tritonocr_backend.core.repository_view import RepositoryView
from tritonocr_backend.core.settings import DEFAULT_NETWORKS, default_options
from tritonocr_backend.documents.pages import Page, unreduced
from tritonocr_backend.engines import Engine, EngineOptions, Network, create_engine
from tritonocr_backend.pipeline.ocr_pipeline import OcrPipeline
from tritonocr_backend.pipeline.records import PageResult, PageSettings
from tritonocr_backend.pipeline.stages import run_stage

LARGE_PX = 17_000_000


class Models:
    """The stages and the default networks of a repository, run by one engine in this process."""

    def __init__(self, repository: Path, engine: str) -> None:
        self._view = RepositoryView(repository)
        self._engines = {
            name: self._load(repository / name / "1", engine) for name in DEFAULT_NETWORKS.values()
        }

    @staticmethod
    def _load(directory: Path, engine: str) -> Engine:
        known = read_network_metadata(directory)
        options = EngineOptions(precision="f32", threads=2)
        return create_engine(
            engine, Network(directory, known.role, known.outputs, known.normalisation, options)
        )

    async def __call__(self, model: str, inputs: Tensors, outputs: Sequence[str]) -> dict[str, NDArray[Any]]:
        if model in STAGE_OUTPUTS:
            return run_stage(model, inputs, self._view)
        return dict(zip(outputs, self._engines[model].infer(inputs[IMAGE]), strict=True))


def read(repository: Path, engine: str, page: NDArray[np.uint8]) -> PageResult:
    settings = PageSettings(
        networks=dict(DEFAULT_NETWORKS),
        options=default_options(),  # type: ignore[arg-type]
        max_candidates=1000,
        exact=True,
        grid_input_size=(712, 488),
    )
    return asyncio.run(OcrPipeline(Models(repository, engine)).read(Page.reduced(page, unreduced), settings))


def test_a_bent_page_above_17_megapixels(default_repository: Path) -> None:
    """In exact mode the page is sampled at its full size."""
    small = photograph(text_page(3, (700, 500)).pixels, "book", 0.04)
    scale = float(np.sqrt(1.02 * LARGE_PX / (small.shape[0] * small.shape[1])))
    page = np.asarray(cv2.resize(small, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC), np.uint8)
    assert page.shape[0] * page.shape[1] > LARGE_PX
    ours, theirs = (read(default_repository, name, page) for name in ("openvino", "onnxruntime"))
    assert ours.unwarped
    assert len(ours.boxes.quads) == len(theirs.boxes.quads) > 10
    assert np.abs(ours.boxes.quads - theirs.boxes.quads).max() <= 8, (
        "of 4000 px: detection sees a fifth of it"
    )
    assert [line.text for line in ours.lines] == [line.text for line in theirs.lines]
