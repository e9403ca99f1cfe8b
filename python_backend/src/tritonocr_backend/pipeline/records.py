"""Records of the pipeline: the settings of a page, and its lines, words and characters."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tritonocr_backend.core.arrays import Ints
from tritonocr_backend.core.contracts import Role
from tritonocr_backend.core.page_messages import PageWarning
from tritonocr_backend.documents.pages import Page
from tritonocr_backend.pipeline.detection_tiles import page_reduction
from tritonocr_backend.pipeline.page_transform import PageTransform
from tritonocr_backend.pipeline.reading_order import PageLayout
from tritonocr_backend.pipeline.text_detection import DetectedBoxes
from tritonocr_common.option_types import OptionValues

LineSource = Literal["ocr", "pdf"]


@dataclass(frozen=True)
class PageSettings:
    """The settings for reading a page.

    Attributes:
        networks: the network of each role.
        options: the value of each option in force (`tritonocr_common.options` has the table).
        max_candidates: largest number of contours that detection examines.
        exact: follow PaddleX step by step: pages at full size, lines cut in two steps, corners and words as
            PaddleX orders and cuts them.
        detection_only: leave out everything after detection.
        grid_input_size: (height, width) in pixels of the image that the unwarping network returns a grid for;
            None: the network returns the flat image.
    """

    networks: dict[Role, str]
    options: OptionValues
    max_candidates: int
    exact: bool = False
    detection_only: bool = False
    grid_input_size: tuple[int, int] | None = None

    def as_given(self) -> PageSettings:
        """Return the settings that read a page without rotating or unwarping it."""
        options = self.options | {"use_doc_orientation_classify": False, "use_doc_unwarping": False}
        return replace(self, options=options)

    def reduction_of(self, size: tuple[int, int]) -> int:
        """Return how many times smaller a page of (height, width) px is decoded; see detection_tiles."""
        is_flattened_by_network = self.options["use_doc_unwarping"] and not self.grid_input_size
        if self.exact or is_flattened_by_network:  # the flat page has the pixels that the network returns
            return 1
        limit, limit_type = self.options["text_det_limit_side_len"], self.options["text_det_limit_type"]
        return page_reduction(size, limit, limit_type)


@dataclass(frozen=True, eq=False)
class PlacedText:
    """A word or a character and its place on the page.

    Attributes:
        text: one or more characters.
        quad: int32 [4, 2] along its line's quad, in pixels of the page.
        score: mean confidence of its characters.
    """

    text: str
    quad: NDArray[np.int32]
    score: float


@dataclass(frozen=True)
class Line:
    """A line that was read.

    Attributes:
        box_index: the detected box that holds the line.
        text: the line's text; "" where nothing was recognised.
        score: mean confidence of its characters.
        words: from the line's start to its end; empty unless requested.
        characters: likewise.
        source: "ocr", or "pdf" if the line is the file's own text.
    """

    box_index: int
    text: str
    score: float
    words: tuple[PlacedText, ...] = ()
    characters: tuple[PlacedText, ...] = ()
    source: LineSource = "ocr"


@dataclass(frozen=True)
class PageResult:
    """The result of one page.

    Attributes:
        size: (height, width) in pixels of the page as given.
        page: the page after rotation and unwarping; all coordinates refer to its size.
        doc_angle: degrees by which the page was turned counter-clockwise; -1 if orientation was off.
        transform: how the page was turned and flattened. None: the unwarping network returned the flat image,
            so that the way back is not known.
        unwarped: whether the page was flattened; False if unwarping was off or the page was flat already.
        boxes: detected boxes in PaddleX's reading order.
        line_angles: int32 [boxes], 1 where a line was upside down; -1 if line orientation was off.
        lines: in PaddleX's reading order, as their boxes, those that pass the recognition threshold.
        layout: blocks, rows and reading order of `lines`.
        warnings: what may have cost text of this page.
    """

    size: tuple[int, int]
    page: Page
    doc_angle: int
    transform: PageTransform | None
    unwarped: bool
    boxes: DetectedBoxes
    line_angles: Ints
    lines: tuple[Line, ...]
    layout: PageLayout
    warnings: tuple[PageWarning, ...] = ()

    def without_pixels(self) -> PageResult:
        """Return the result with an empty image in place of the page's, to free its memory."""
        empty = np.empty((0, 0, 3), np.uint8)
        return replace(self, page=replace(self.page, pixels=empty))
