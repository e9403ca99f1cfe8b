"""The OCR pipeline over a `ModelCaller`: from a page to its lines.

Order, constants and rounding are those of PaddleX 3.0.0rc0. The pipeline knows neither Triton nor an engine:
inside the `ocr` model the caller uses BLS; benchmarks and tests run the same stages in-process.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonocr_backend.core import contracts
from tritonocr_backend.core.arrays import Ints
from tritonocr_backend.core.contracts import GRID_OUTPUTS, IMAGE, NETWORK_OUTPUTS, STAGE_OUTPUTS, Role
from tritonocr_backend.core.page_messages import PageWarning
from tritonocr_backend.documents.pages import Page, unreduced
from tritonocr_backend.pipeline import doc_preprocessing, doc_unwarping, small_pages
from tritonocr_backend.pipeline.detection_tiles import detection_view
from tritonocr_backend.pipeline.line_reading import NOT_CLASSIFIED, LineReader, ModelCaller
from tritonocr_backend.pipeline.page_transform import PageTransform
from tritonocr_backend.pipeline.reading_order import PageLayout, page_layout
from tritonocr_backend.pipeline.records import Line, PageResult, PageSettings
from tritonocr_backend.pipeline.small_text import FINER, lines_may_be_missing, small_text_warning
from tritonocr_backend.pipeline.text_detection import DetectedBoxes


class OcrPipeline:
    """Reads pages by calling models."""

    def __init__(self, call: ModelCaller) -> None:
        self._call = call

    async def read(self, page: Page, settings: PageSettings) -> PageResult:
        """Read one page."""
        size, warnings = page.size, page.warnings
        page, doc_angle = await self._turn(page, settings)
        page, transform = await self._flatten(page, max(doc_angle, 0), settings)
        margin_px = 0 if settings.exact else small_pages.margin_of(page)
        framed = small_pages.add_margin(page, margin_px)
        boxes, more_warnings = await self._find_boxes(framed, settings)
        warnings = (*warnings, *more_warnings)
        boxes = small_pages.drop_margin_boxes(boxes, page, margin_px)
        angles = np.full(len(boxes.quads), NOT_CLASSIFIED, dtype=np.int32)
        lines: list[Line] = []
        if not settings.detection_only:
            lines, angles = await LineReader(self._call, framed, settings).read(boxes.quads)
        boxes, lines = small_pages.without_margin(boxes, lines, page, margin_px)
        least_score = settings.options["text_rec_score_thresh"]
        kept = tuple(line for line in lines if line.score >= least_score)
        layout = _layout(kept, boxes, angles, page.size)
        unwarped = transform is None or transform.grid is not None
        return PageResult(size, page, doc_angle, transform, unwarped, boxes, angles, kept, layout, warnings)

    async def _turn(self, page: Page, settings: PageSettings) -> tuple[Page, int]:
        if not settings.options["use_doc_orientation_classify"]:
            return page, NOT_CLASSIFIED
        if small_pages.is_crop(page) and not settings.exact:
            return page, 0
        image = doc_preprocessing.resize_for_doc_orientation(page.pixels)
        outputs = await self._network(Role.DOC_ORIENTATION, image[np.newaxis], settings)
        angle = doc_preprocessing.doc_angle(outputs["probabilities"][0])
        return doc_preprocessing.rotate(page, angle), angle

    async def _flatten(
        self, page: Page, angle: int, settings: PageSettings
    ) -> tuple[Page, PageTransform | None]:
        input_size = page.size[::-1] if angle % 180 else page.size
        is_crop = small_pages.is_crop(page) and not settings.exact
        if is_crop or not settings.options["use_doc_unwarping"]:
            return page, PageTransform(input_size, angle, None, page.size)
        if not settings.grid_input_size:
            outputs = await self._network(Role.DOC_UNWARPING, page.pixels[np.newaxis], settings)
            return Page.reduced(outputs["unwarped"][0], unreduced), None
        image = doc_unwarping.resize_for_unwarping(page.pixels, settings.grid_input_size)
        name = settings.networks[Role.DOC_UNWARPING]
        outputs = await self._call(name, {IMAGE: image[np.newaxis]}, GRID_OUTPUTS)
        flat, grid = doc_unwarping.flatten(page, outputs["grid"][0], exact=settings.exact)
        return flat, PageTransform(input_size, angle, grid, flat.size, page.reduction)

    async def _find_boxes(
        self, page: Page, settings: PageSettings
    ) -> tuple[DetectedBoxes, tuple[PageWarning, ...]]:
        """Return the boxes of a page, and a warning if lines may be missing.

        Detection looks again at a finer scale where the text seems to be too small, except for `exact`.
        """
        limit_side_len = settings.options["text_det_limit_side_len"]
        boxes, scale = await self._detect(page, settings, limit_side_len)
        if not lines_may_be_missing(page, boxes.quads, scale):
            return boxes, ()
        if not settings.exact:
            finer_boxes, scale = await self._detect(page, settings, round(FINER * limit_side_len))
            boxes = finer_boxes if len(finer_boxes.quads) > len(boxes.quads) else boxes
            if not lines_may_be_missing(page, boxes.quads, scale):
                return boxes, ()
        return boxes, (small_text_warning(scale),)

    async def _detect(
        self, page: Page, settings: PageSettings, limit_side_len: int
    ) -> tuple[DetectedBoxes, float]:
        options = settings.options
        view = detection_view(
            page.pixels, page.size, limit_side_len, options["text_det_limit_type"], exact=settings.exact
        )
        maps = []
        for tile in view.tiles:
            outputs = await self._network(Role.TEXT_DETECTION, tile[np.newaxis], settings)
            maps.append(outputs["probability"][0])
        inputs = {
            "probability": view.joined(maps),
            "page_size": np.array(page.size, dtype=np.int32),
            "thresh": np.array([options["text_det_thresh"]], dtype=np.float32),
            "box_thresh": np.array([options["text_det_box_thresh"]], dtype=np.float32),
            "unclip_ratio": np.array([options["text_det_unclip_ratio"]], dtype=np.float32),
            "max_candidates": np.array([settings.max_candidates], dtype=np.int32),
            "exact": np.array([settings.exact]),
        }
        found = await self._call(contracts.POSTPROCESS, inputs, STAGE_OUTPUTS[contracts.POSTPROCESS])
        reached = bool(found["max_candidates_reached"][0])
        return DetectedBoxes(found["polys"], found["scores"], reached), view.scale

    async def _network(
        self, role: Role, batch: NDArray[np.uint8], settings: PageSettings
    ) -> dict[str, NDArray[Any]]:
        return await self._call(settings.networks[role], {IMAGE: batch}, NETWORK_OUTPUTS[role])


def _layout(lines: tuple[Line, ...], boxes: DetectedBoxes, angles: Ints, size: tuple[int, int]) -> PageLayout:
    """Find the blocks and the order of lines on a page of (height, width) pixels."""
    of_box = np.array([line.box_index for line in lines], dtype=np.intp)
    return page_layout(boxes.quads[of_box], size, [line.text for line in lines], angles[of_box] == 1)
