"""Warnings and errors of single pages, which the answer reports beside the pages that were read.

The `ocr` model writes them as JSON into its outputs `page_warnings` and `page_errors`. Programs decide by
`code`; `message` is for people.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tritonocr_common.error_reasons import Reason

WarningCode = Literal[
    "pages_missing",  # the file is damaged behind this page: pages that follow may be missing
    "text_too_small",  # detection saw the page so small that lines may be missing
    "text_layer_unsound",  # `pdf_text=only`, and the text layer is missing, hidden, cut or without Unicode
    "rendered_smaller",  # the page exceeds `max_pixels` and was rendered at a lower resolution
]
"""Why a page may lack text. Add a code here for each new kind of warning."""


@dataclass(frozen=True)
class PageWarning:
    """Something that may have cost text of a page that was read.

    Attributes:
        code: the kind of warning, for programs.
        message: one sentence that names what happened, for people.
    """

    code: WarningCode
    message: str


@dataclass(frozen=True)
class PageError:
    """Why one page of a document was not read.

    Attributes:
        code: the kind of error, for programs.
        message: one sentence that names the page, what was found and what is expected, for people.
    """

    code: Reason
    message: str
