"""The settings of the pipeline, and the value of each option that is in force for a request.

`tritonocr_common.options` declares the options. `PipelineSettings` is what a repository sets for all
requests. `effective_options` is the only place that combines the defaults, `OCR.yaml`, a network's own
thresholds and a request.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

from tritonocr_backend.core.contracts import Role
from tritonocr_backend.core.errors import InvalidOptionError
from tritonocr_backend.core.network_metadata import NetworkMetadata
from tritonocr_common.option_types import OptionValues
from tritonocr_common.options import OPTIONS, OptionValue, OptionValueError

PIPELINE_FILE = "pipeline.json"

OPTION_OF_ROLE: Mapping[Role, str] = {
    Role.TEXT_DETECTION: "text_detection_model_name",
    Role.TEXT_RECOGNITION: "text_recognition_model_name",
}
"""The option that names the network of a role."""

ROLE_OF_FLAG: Mapping[str, Role] = {
    "use_doc_orientation_classify": Role.DOC_ORIENTATION,
    "use_doc_unwarping": Role.DOC_UNWARPING,
    "use_textline_orientation": Role.TEXTLINE_ORIENTATION,
}
"""The role whose network is needed only if the option is true."""


@dataclass(frozen=True)
class PipelineSettings:
    """Settings of the `ocr` model of a repository. `limits.LIMITS` explains the limits.

    Attributes:
        networks: the network of each role, unless a request names another.
        options: options that `OCR.yaml` or the operator states; the table's default holds for the others.
        exact: use PaddleX's own steps at batch size 1, which is slower (see text_crop).
        max_pixels: largest page in pixels.
        max_candidates: largest number of contours that detection examines per page.
        pages_in_flight: pages of one file that are read at the same time.
        max_file_bytes: largest file in bytes.
        max_pages: largest `max_pages` of a request.
        max_seconds: seconds of work per file.
        max_render_seconds: CPU seconds to render a page of a PDF.
        max_render_bytes: memory in bytes to render a page of a PDF, not counting the page image.
        max_queue_size: requests that wait in the queue.
        max_queue_seconds: seconds that a request waits in the queue.
    """

    networks: dict[Role, str] = field(default_factory=lambda: dict(DEFAULT_NETWORKS))
    options: dict[str, OptionValue] = field(default_factory=dict)
    exact: bool = False
    max_pixels: int = 134_217_728
    max_candidates: int = 20_000
    pages_in_flight: int = 4
    max_file_bytes: int = 268_435_456
    max_pages: int = 1000
    max_seconds: int = 300
    max_render_seconds: int = 30
    max_render_bytes: int = 1_073_741_824
    max_queue_size: int = 256
    max_queue_seconds: int = 300


DEFAULT_NETWORKS: Mapping[Role, str] = {
    Role.DOC_ORIENTATION: "PP-LCNet_x1_0_doc_ori",
    Role.DOC_UNWARPING: "UVDoc",
    Role.TEXT_DETECTION: "PP-OCRv4_mobile_det",
    Role.TEXTLINE_ORIENTATION: "PP-LCNet_x1_0_textline_ori",
    Role.TEXT_RECOGNITION: "PP-OCRv4_mobile_rec",
}


def default_options() -> dict[str, OptionValue]:
    """Return the default of every option; "" where the server chooses."""
    return {name: "" if option.default is None else option.default for name, option in OPTIONS.items()}


def check_option(name: str, value: Any) -> OptionValue:
    """Return an option's value as the option's type.

    Raises:
        InvalidOptionError: the value has another type or is out of range.
    """
    try:
        return OPTIONS[name].check(value)
    except OptionValueError as error:
        raise InvalidOptionError(str(error)) from None


def effective_options(
    settings: PipelineSettings,
    networks: Mapping[Role, str],
    detection: NetworkMetadata | None,
    request: Mapping[str, OptionValue] | None = None,
) -> OptionValues:
    """Return the value of each option that is in force.

    The later of these wins: the table's default, the thresholds of the detection network, the pipeline's
    settings (`OCR.yaml`), the request. The pipeline's thresholds are meant for its own detection network: if
    the request names another one, the thresholds of that network win over the pipeline's.

    Args:
        settings: the pipeline's settings.
        networks: the network of each role that reads the request.
        detection: metadata of the detection network; None if the network is not known.
        request: checked options of the request.
    """
    own = detection.options if detection else {}
    is_pipelines = networks.get(Role.TEXT_DETECTION) == settings.networks.get(Role.TEXT_DETECTION)
    layers = (own, settings.options) if is_pipelines else (settings.options, own)
    values = {**default_options(), **layers[0], **layers[1], **(request or {})}
    values["max_pages"] = min(int(values["max_pages"]), settings.max_pages)
    values |= {option: networks[role] for role, option in OPTION_OF_ROLE.items() if role in networks}
    return cast(OptionValues, values)


def write_pipeline_settings(settings: PipelineSettings, directory: Path) -> None:
    """Write the settings into the version directory of the `ocr` model."""
    text = json.dumps(asdict(settings), indent=2, ensure_ascii=False)
    (directory / PIPELINE_FILE).write_text(text + "\n", encoding="utf-8")


def read_pipeline_settings(directory: Path) -> PipelineSettings:
    """Read the settings in the version directory of the `ocr` model."""
    values = json.loads((directory / PIPELINE_FILE).read_text(encoding="utf-8"))
    values["networks"] = {Role(role): name for role, name in values["networks"].items()}
    return PipelineSettings(**values)
