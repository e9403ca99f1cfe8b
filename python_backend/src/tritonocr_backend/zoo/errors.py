"""Errors of the model zoo; each message is one sentence for the person at the command line.

ZooError
├── UnknownModelError         no model of that name
├── ModelFormatError          a model directory does not hold what it should
├── PipelineConfigError       an OCR.yaml that cannot be followed
├── ServingFileError          a serving.yaml that cannot be used
├── SourceError               one source of a model failed
│   └── UnsafeArchiveError    an archive would write where it must not, or too much
└── FetchError                no source delivered the model; one sentence for each that was tried
"""

from __future__ import annotations

from collections.abc import Mapping

from tritonocr_backend.core.errors import TritonOcrError


class ZooError(TritonOcrError):
    """Base of the zoo's errors."""


class UnknownModelError(ZooError):
    """No model of that name is known."""


class ModelFormatError(ZooError):
    """A model directory does not hold what it should."""


class PipelineConfigError(ZooError):
    """An OCR.yaml that cannot be followed; the message names file and line."""


class ServingFileError(ZooError):
    """A `serving.yaml` that cannot be used."""


class SourceError(ZooError):
    """One source of a model failed."""


class UnsafeArchiveError(SourceError):
    """An archive would write outside its directory, through a link, or more than allowed."""


class FetchError(ZooError):
    """No source delivered the model.

    Attributes:
        reasons: For each source tried, why it failed.
    """

    def __init__(self, model_name: str, reasons: Mapping[str, str]) -> None:
        self.reasons = dict(reasons)
        tried = "\n".join(f"  {source}: {reason}" for source, reason in self.reasons.items())
        super().__init__(f"{model_name} could not be fetched; tried:\n{tried or '  no source is known'}")
