"""Define the errors of the model zoo. Each message is one sentence for the user.

ZooError
├── UnknownModelError         no model has this name
├── ModelFormatError          a model directory is incomplete or invalid
├── PipelineConfigError       an OCR.yaml is invalid
├── ServingFileError          a serving.yaml is invalid
├── SourceError               one source of a model failed
│   └── UnsafeArchiveError    an archive contains an unsafe path or is too large
└── FetchError                no source provides the model; one sentence per source
"""

from __future__ import annotations

from collections.abc import Mapping

from tritonocr_backend.core.errors import TritonOcrError


class ZooError(TritonOcrError):
    """Base class of the errors of the model zoo."""


class UnknownModelError(ZooError):
    """No model has this name."""


class ModelFormatError(ZooError):
    """A model directory is incomplete or invalid."""


class PipelineConfigError(ZooError):
    """An `OCR.yaml` is invalid; the message contains the file and the line.

    Attributes:
        problem: the sentence without the file and the line.
    """

    def __init__(self, place: str, problem: str) -> None:
        self.problem = problem
        super().__init__(f"{place}: {problem}")


class ServingFileError(ZooError):
    """A `serving.yaml` is invalid."""


class SourceError(ZooError):
    """One source of a model failed."""


class UnsafeArchiveError(SourceError):
    """An archive contains a path outside its directory or a link, or is too large."""


class FetchError(ZooError):
    """No source provides the model.

    Attributes:
        reasons: the reason of the failure for each source.
    """

    def __init__(self, model_name: str, reasons: Mapping[str, str]) -> None:
        self.reasons = dict(reasons)
        tried = "\n".join(f"  {source}: {reason}" for source, reason in self.reasons.items())
        super().__init__(
            f"{model_name} could not be fetched; tried:\n{tried or '  no source (the registry lists none)'}"
        )
