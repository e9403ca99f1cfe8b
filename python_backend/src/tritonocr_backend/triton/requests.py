"""Parsing a request to `ocr` or `ocr_stream`: its document, and the options in force."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonocr_backend.core.arrays import Image, Tensors
from tritonocr_backend.core.contracts import Role
from tritonocr_backend.core.errors import InvalidInputError, InvalidOptionError
from tritonocr_backend.core.repository_view import RepositoryView
from tritonocr_backend.core.settings import (
    OPTION_OF_ROLE,
    ROLE_OF_FLAG,
    PipelineSettings,
    check_option,
    effective_options,
)
from tritonocr_backend.documents.decode import Document, check_pixels, open_document
from tritonocr_backend.documents.pages import Page
from tritonocr_backend.documents.pdf_documents import RenderLimits
from tritonocr_backend.documents.pdf_pages import AUTOMATIC_DPI, PADDLEX_DPI, PdfOptions
from tritonocr_backend.pipeline.records import PageSettings
from tritonocr_common.option_types import OptionValues
from tritonocr_common.options import OPTIONS, OptionValue
from tritonocr_common.quoting import quoted

AFTER_DETECTION = frozenset(
    {
        "textline_orientation_angles",
        "page_index",
        "rec_texts",
        "rec_scores",
        "rec_sources",
        "rec_polys",
        "rec_boxes",
        "reading_order",
        "row_index",
        "block_index",
        "block_kind",
        "word_line_index",
        "word_texts",
        "word_boxes",
    }
)
"""Outputs that need more than detection."""


@dataclass(frozen=True)
class OcrRequest:
    """A parsed and checked request.

    Attributes:
        document: the opened file; an `image` is a document of one page.
        page_settings: how each page is read.
    """

    document: Document
    page_settings: PageSettings

    @property
    def options(self) -> OptionValues:
        """The value of each option in force."""
        return self.page_settings.options

    @property
    def page_indices(self) -> range:
        """The indices of the pages to read."""
        return range(min(self.document.page_count, self.options["max_pages"]))


def parse_request(
    inputs: Tensors, requested: Collection[str], settings: PipelineSettings, repository: RepositoryView
) -> OcrRequest:
    """Check the tensors of a request and open its document.

    Args:
        inputs: `file` STRING [1] or `image` UINT8 [H, W, 3 or 1], and any option of the table.
        requested: names of the requested outputs; what only other outputs need is not computed.
        settings: the pipeline's settings.
        repository: where the names of models and languages are looked up.

    Raises:
        InvalidInputError: the file or an option is wrong.
    """
    given = {name: _option_value(name, inputs[name]) for name in OPTIONS if name in inputs}
    if given.get("max_pages", 0) > settings.max_pages:  # type: ignore[operator]  # an int by the table
        raise InvalidOptionError(
            f"max_pages: got {given['max_pages']}, expected at most {settings.max_pages} (limit max_pages)"
        )
    networks = _networks(given, settings, repository)
    detection = repository.find(
        networks[Role.TEXT_DETECTION], Role.TEXT_DETECTION, OPTION_OF_ROLE[Role.TEXT_DETECTION]
    )
    options = effective_options(settings, networks, detection, given)
    _check_networks(options, networks)
    unwarping = repository.networks().get(networks.get(Role.DOC_UNWARPING, ""))
    grid_input_size = unwarping.grid_input_size if unwarping else None
    _check_coordinates(options, grid_input_size)
    page_settings = PageSettings(
        networks=networks,
        options=options,
        max_candidates=settings.max_candidates,
        exact=settings.exact,
        detection_only=AFTER_DETECTION.isdisjoint(requested),
        grid_input_size=grid_input_size,
    )
    return OcrRequest(_document(inputs, settings, options), page_settings)


def check_served(networks: Mapping[Role, str], repository: RepositoryView) -> None:
    """Check that the networks of a request are still served.

    Raises:
        InvalidInputError: a network was removed after the request was parsed.
    """
    for role, option in OPTION_OF_ROLE.items():
        repository.find(networks[role], role, option)


def _option_value(name: str, tensor: NDArray[Any]) -> OptionValue:
    if tensor.size != 1:
        raise InvalidOptionError(f"{name}: got {tensor.size} values, expected 1")
    value = tensor.reshape(-1)[0]
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    elif isinstance(value, np.float32):
        value = float(str(value))  # the shortest decimal number: 0.3 instead of 0.30000001192092896
    return check_option(name, value.item() if isinstance(value, np.generic) else value)


def _networks(
    given: Mapping[str, OptionValue], settings: PipelineSettings, repository: RepositoryView
) -> dict[Role, str]:
    networks = dict(settings.networks)
    detection, recognition, lang = (str(given.get(name, "")) for name in (*OPTION_OF_ROLE.values(), "lang"))
    if recognition and lang:
        raise InvalidOptionError(
            f"lang: got {quoted(lang)} together with text_recognition_model_name {quoted(recognition)}, "
            "expected one of the two"
        )
    if detection:
        networks[Role.TEXT_DETECTION] = detection
    if recognition:
        found = repository.find(recognition, Role.TEXT_RECOGNITION, "text_recognition_model_name")
        networks[Role.TEXT_RECOGNITION] = found.name
    if lang:
        networks[Role.TEXT_RECOGNITION] = repository.for_language(lang, networks[Role.TEXT_RECOGNITION]).name
    return networks


def _check_networks(options: OptionValues, networks: Mapping[Role, str]) -> None:
    """Raise InvalidOptionError if an option needs a network that the server does not have."""
    for name, role in ROLE_OF_FLAG.items():
        if options[name] and role not in networks:  # type: ignore[literal-required]
            raise InvalidOptionError(
                f"{name}: got true, but this server has no {role.value} model; expected false"
            )


def _check_coordinates(options: OptionValues, grid_input_size: tuple[int, int] | None) -> None:
    """Raise InvalidOptionError if coordinates cannot be mapped back through unwarping."""
    if options["coordinates"] == "input" and options["use_doc_unwarping"] and not grid_input_size:
        raise InvalidOptionError(
            "coordinates: got 'input', but the unwarping model of this server returns no sampling grid; "
            "expected 'output', or use_doc_unwarping false"
        )


def _document(inputs: Tensors, settings: PipelineSettings, options: OptionValues) -> Document:
    given = [name for name in ("file", "image") if name in inputs]
    if len(given) != 1:
        raise InvalidInputError(
            f"got {' and '.join(given) or 'neither file nor image'}, expected exactly one"
        )
    if "file" in inputs:
        if inputs["file"].size != 1:
            raise InvalidInputError(f"file: got {inputs['file'].size} values, expected 1")
        file = inputs["file"].reshape(-1)[0]
        if len(file) > settings.max_file_bytes:
            raise InvalidInputError(
                f"file: got {len(file)} bytes, expected at most {settings.max_file_bytes} "
                "(limit max_file_bytes)",
                "too_large",
            )
        render_limits = RenderLimits(settings.max_render_seconds, settings.max_render_bytes)
        exact_dpi = PADDLEX_DPI if settings.exact else AUTOMATIC_DPI
        pdf_options = PdfOptions(options["pdf_dpi"] or exact_dpi)
        return open_document(file, settings.max_pixels, render_limits, pdf_options)
    page = _bgr(inputs["image"], settings.max_pixels)
    return Document(1, lambda index, reduction_of: Page.reduced(page, reduction_of), lambda: None)


def _bgr(image: Image, max_pixels: int) -> Image:
    """Return the `image` of a request as uint8 [H, W, 3] BGR.

    Raises:
        InvalidInputError: it has neither one channel nor three, or too many pixels.
    """
    height, width, channels = image.shape
    check_pixels("image", height, width, max_pixels)
    if channels not in (1, 3):
        raise InvalidInputError(
            f"image: got shape {list(image.shape)}, expected [height, width, 3] (BGR) or "
            "[height, width, 1] (grey)"
        )
    return image if channels == 3 else np.repeat(image, 3, axis=2)
