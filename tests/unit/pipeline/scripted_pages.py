"""Pages for the pipeline over scripted networks, and reading them."""

import asyncio
from typing import Any

import numpy as np
from fake_models import FakeModels
from numpy.typing import NDArray

from tritonocr_backend.core.contracts import Role
from tritonocr_backend.core.settings import default_options
from tritonocr_backend.documents.pages import Page, unreduced
from tritonocr_backend.pipeline.ocr_pipeline import OcrPipeline
from tritonocr_backend.pipeline.records import PageResult, PageSettings
from tritonocr_common.options import OPTIONS

HEIGHT, WIDTH = 640, 480


OFF = {
    "use_doc_orientation_classify": False,
    "use_doc_unwarping": False,
    "use_textline_orientation": False,
}


def settings(**changes: Any) -> PageSettings:
    """Page settings with every step off; `changes` are options or attributes of PageSettings."""
    options = {**default_options(), **OFF, **{name: changes.pop(name) for name in OPTIONS if name in changes}}
    networks = {role: role.value for role in Role}
    values = {"networks": networks, "options": options, "max_candidates": 100, **changes}
    return PageSettings(**values)


def box(x: int, y: int, width: int = 96, height: int = 24) -> list[list[int]]:
    return [[x, y], [x + width, y], [x + width, y + height], [x, y + height]]


def page_with(*lines: tuple[list[list[int]], int, int]) -> NDArray[np.uint8]:
    """A white page; each line's box is filled with two grey levels, upper half and lower half."""
    page = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    for quad, upper, lower in lines:
        (x, y), _, (x_end, y_end), _ = quad
        page[y:y_end, x:x_end] = lower
        page[y : (y + y_end) // 2, x:x_end] = upper
    return page


def read(models: FakeModels, page: NDArray[np.uint8], **changes: Any) -> PageResult:
    return asyncio.run(OcrPipeline(models).read(Page.reduced(page, unreduced), settings(**changes)))


FIRST, SECOND, THIRD = box(20, 40), box(200, 42, width=200), box(20, 200)
TALL = box(20, 40, width=30, height=200)
PAGE = page_with((FIRST, 200, 100), (SECOND, 150, 30), (THIRD, 180, 90))
ALL_ON = {
    "use_doc_orientation_classify": True,
    "use_doc_unwarping": True,
    "use_textline_orientation": True,
}
