"""What a request to `ocr` asks for: its file or image, and its options over the pipeline's settings."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from tritonocr_backend.core.arrays import Image, Tensors
from tritonocr_backend.core.contracts import Role
from tritonocr_backend.core.errors import InvalidInputError
from tritonocr_backend.core.repository_view import RepositoryView
from tritonocr_backend.core.settings import PAGE_OPTIONS, OptionValue, PipelineSettings
from tritonocr_backend.documents.decode import Document, check_pixels, open_document
from tritonocr_backend.documents.pages import Page
from tritonocr_backend.documents.pdf_documents import RenderLimits
from tritonocr_backend.pipeline.records import PageSettings
from tritonocr_backend.pipeline.text_detection import LimitType

_ROLE_OF_FLAG = {
    "use_doc_orientation_classify": Role.DOC_ORIENTATION,
    "use_doc_unwarping": Role.DOC_UNWARPING,
    "use_textline_orientation": Role.TEXTLINE_ORIENTATION,
}

_OPTION_OF_ROLE = {
    Role.TEXT_DETECTION: "text_detection_model_name",
    Role.TEXT_RECOGNITION: "text_recognition_model_name",
}

AFTER_DETECTION = frozenset(
    {
        "textline_orientation_angles",
        "page_index",
        "rec_texts",
        "rec_scores",
        "rec_polys",
        "rec_boxes",
        "word_line_index",
        "word_texts",
        "word_boxes",
    }
)


@dataclass(frozen=True)
class OcrRequest:
    """A request, checked.

    Attributes:
        document: the opened file; of an `image`, its only page.
        page_settings: how each page is read.
        max_pages: how many pages are read.
        return_page_images: whether pictures of the pages are asked for.
        options: every option's value in force, and the models chosen, under their names.
    """

    document: Document
    page_settings: PageSettings
    max_pages: int
    return_page_images: bool
    options: Mapping[str, OptionValue]

    @property
    def page_indices(self) -> range:
        """The pages to read."""
        return range(min(self.document.page_count, self.max_pages))


def parse_request(
    inputs: Tensors, requested: Collection[str], settings: PipelineSettings, repository: RepositoryView
) -> OcrRequest:
    """Check a request's tensors.

    Args:
        inputs: `file` STRING [1] or `image` UINT8 [H, W, 3], and any of PAGE_OPTIONS.
        requested: the outputs that are wanted; what only others need is not computed.
        settings: the pipeline's own.
        repository: where model names and languages are looked up.

    Raises:
        InvalidInputError: the file or an option is wrong.
    """
    given = {name: _option_value(name, inputs[name]) for name in PAGE_OPTIONS if name in inputs}
    networks = _networks(given, settings, repository)
    detection = repository.find(
        networks[Role.TEXT_DETECTION], Role.TEXT_DETECTION, _OPTION_OF_ROLE[Role.TEXT_DETECTION]
    )
    options: dict[str, Any] = {**settings.options, **detection.options, **given}
    options["max_pages"] = _max_pages(options["max_pages"], settings.max_pages, is_given="max_pages" in given)
    options |= {option: networks[role] for role, option in _OPTION_OF_ROLE.items()}
    _check_networks(options, networks)
    page_settings = _page_settings(options, networks, settings, requested)
    document = _document(inputs, settings)
    return OcrRequest(
        document, page_settings, int(options["max_pages"]), bool(options["return_page_images"]), options
    )


def check_served(networks: Mapping[Role, str], repository: RepositoryView) -> None:
    """Raise InvalidInputError where a network that a request chose has been removed since it was parsed."""
    for role, option in _OPTION_OF_ROLE.items():
        repository.find(networks[role], role, option)


def _option_value(name: str, tensor: NDArray[Any]) -> OptionValue:
    if tensor.size != 1:
        raise InvalidInputError(f"{name}: got {tensor.size} values, expected 1")
    value = tensor.reshape(-1)[0]
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    elif isinstance(value, np.float32):
        value = float(str(value))  # 0.3 and not 0.30000001192092896, which was never meant
    return PAGE_OPTIONS[name].check(value.item() if isinstance(value, np.generic) else value)


def _networks(
    given: Mapping[str, OptionValue], settings: PipelineSettings, repository: RepositoryView
) -> dict[Role, str]:
    networks = dict(settings.networks)
    detection, recognition, lang = (str(given.get(name, "")) for name in (*_OPTION_OF_ROLE.values(), "lang"))
    if recognition and lang:
        raise InvalidInputError(
            f"lang: got {lang!r} together with text_recognition_model_name {recognition!r}, expected one"
        )
    if detection:
        networks[Role.TEXT_DETECTION] = detection
    if recognition:
        found = repository.find(recognition, Role.TEXT_RECOGNITION, "text_recognition_model_name")
        networks[Role.TEXT_RECOGNITION] = found.name
    if lang:
        networks[Role.TEXT_RECOGNITION] = repository.for_language(lang, networks[Role.TEXT_RECOGNITION]).name
    return networks


def _check_networks(options: Mapping[str, Any], networks: Mapping[Role, str]) -> None:
    """Raise InvalidInputError where a step is asked for whose network the server does not have."""
    for name, role in _ROLE_OF_FLAG.items():
        if options[name] and role not in networks:
            raise InvalidInputError(
                f"{name}: got true, but this server has no {role.value} model; expected false"
            )


def _page_settings(
    options: Mapping[str, Any],
    networks: dict[Role, str],
    settings: PipelineSettings,
    requested: Collection[str],
) -> PageSettings:
    return PageSettings(
        networks=networks,
        use_doc_orientation_classify=options["use_doc_orientation_classify"],
        use_doc_unwarping=options["use_doc_unwarping"],
        use_textline_orientation=options["use_textline_orientation"],
        limit_side_len=options["text_det_limit_side_len"],
        limit_type=cast(LimitType, options["text_det_limit_type"]),
        thresh=options["text_det_thresh"],
        box_thresh=options["text_det_box_thresh"],
        unclip_ratio=options["text_det_unclip_ratio"],
        max_candidates=settings.max_candidates,
        score_thresh=options["text_rec_score_thresh"],
        return_word_box=options["return_word_box"],
        exact=settings.exact,
        detection_only=AFTER_DETECTION.isdisjoint(requested),
    )


def _max_pages(asked: int, allowed: int, *, is_given: bool) -> int:
    if is_given and asked > allowed:
        raise InvalidInputError(f"max_pages: got {asked}, expected at most {allowed} (limit max_pages)")
    return min(asked, allowed)


def _document(inputs: Tensors, settings: PipelineSettings) -> Document:
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
        return open_document(file, settings.max_pixels, render_limits)
    page: Image = inputs["image"]
    check_pixels("image", page.shape[0], page.shape[1], settings.max_pixels)
    return Document(1, lambda index, reduction_of: Page.reduced(page, reduction_of), lambda: None)
