"""The presets: pipelines that a name chooses, each an `OCR.yaml` in `pipelines/`.

A preset only chooses models. All steps and thresholds stay the defaults of the pipeline and of the models.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

from tritonocr_common.quoting import quoted

Preset = Literal["paddlex", "fast", "accurate"]

PRESETS: Final[Mapping[Preset, str]] = {
    "paddlex": "PP-OCRv4 mobile, the models of PaddleX's tutorial (default)",
    "fast": "PP-OCRv6 tiny, the fastest models",
    "accurate": "PP-OCRv6 small, the models with the fewest errors",
}
"""Each preset with its models."""

PRESETS_HELP: Final = "; ".join(f"{name}: {models}" for name, models in PRESETS.items())


class PresetError(ValueError):
    """No preset has this name; the message lists the names."""


def preset_file(name: str) -> Path:
    """Return the path of the `OCR.yaml` of a preset.

    Raises:
        PresetError: no preset has this name.
    """
    if name not in PRESETS:
        raise PresetError(f"got {quoted(name)}, expected one of {', '.join(PRESETS)}")
    return Path(__file__).parent / "pipelines" / f"{name}.yaml"
