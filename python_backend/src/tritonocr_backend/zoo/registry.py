"""Look up models by name: their properties and the sources of their files (data in models.yaml)."""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints
from ruamel.yaml import YAML

from tritonocr_backend.core.contracts import Role
from tritonocr_backend.zoo import cache
from tritonocr_backend.zoo.errors import UnknownModelError
from tritonocr_backend.zoo.layout import FileFormat

_RIGHT_TO_LEFT = frozenset({"arabic"})

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Accuracy(_Record):
    """The accuracy of a model in PaddleX's tutorial, measured on PaddleX's test set for its role."""

    metric: Literal["top1_accuracy_percent", "cer", "hmean_percent", "avg_accuracy_percent"]
    value: float


class DetectionSettings(_Record):
    """Post-processing settings of a detection model; None means the default of the pipeline."""

    # Records of models that earlier versions imported contain one more setting.
    model_config = ConfigDict(frozen=True, extra="ignore")

    thresh: float | None = None
    box_thresh: float | None = None
    unclip_ratio: float | None = None


class Wheel(_Record):
    """A published distribution that contains model files; `sha256` is the hash of the wheel file."""

    distribution: str
    version: str
    sha256: Sha256
    licence: str | None

    @property
    def label(self) -> str:
        """Return the name of the wheel in messages."""
        return f"wheel {self.distribution} {self.version}"


class WheelFile(_Record):
    """One file of a wheel: its path in the wheel, its name in the model directory, its hash."""

    member: str
    target: str
    sha256: Sha256


class DictionarySource(_Record):
    """The source of a recognition dictionary: the ONNX metadata, or a file of the wheel."""

    onnx_metadata: str | None = None
    member: str | None = None
    sha256: Sha256 | None = None
    lacks_space: bool = False
    """The last line of the file, a single space, is missing in the wheel."""


class WheelSource(_Record):
    """The files of one model in one wheel."""

    wheel: Wheel
    file_format: FileFormat
    files: tuple[WheelFile, ...]
    dictionary: DictionarySource | None = None


class Model(_Record):
    """A model that users can name.

    Attributes:
        languages: codes of the `lang` option; the main language of the model is first.
        generation: the N of PP-OCRvN; 0 for other models.
        characters: number of lines of the recognition dictionary, without the CTC blank and the space.
        input_shape: (height, width) in pixels of the input of a line orientation model.
        size_mb: storage size in MB, from the tutorial.
        archive: URL of the official archive in PaddleX's layout.
        imported_from: path from which a model was imported; None for official models.
        postprocess: post-processing settings that differ from the defaults of the pipeline.
    """

    name: str
    role: Role
    languages: tuple[str, ...] = ()
    generation: int = 0
    characters: int | None = None
    input_shape: tuple[int, int] = (80, 160)
    accuracy: Accuracy | None = None
    size_mb: float | None = None
    licence: str = "Apache-2.0"
    attribution: str = "PaddleOCR, © PaddlePaddle Authors"
    archive: str | None = None
    imported_from: str | None = None
    postprocess: DetectionSettings = DetectionSettings()
    wheels: tuple[WheelSource, ...] = ()

    @property
    def is_tested(self) -> bool:
        """Return whether TritonOCR's tests read the model. They read wheels, and no official archive."""
        return bool(self.wheels) or self.imported_from is not None

    @property
    def right_to_left(self) -> bool:
        """Return whether the script of the model's main language runs from right to left."""
        return bool(self.languages) and self.languages[0] in _RIGHT_TO_LEFT


class _Registry(_Record):
    wheels: tuple[Wheel, ...]
    models: tuple[Model, ...]


@lru_cache(maxsize=1)
def _registry() -> _Registry:
    data = resources.files(__package__).joinpath("models.yaml").read_text(encoding="utf-8")
    return _Registry.model_validate(YAML(typ="safe").load(data))


def official() -> tuple[Model, ...]:
    """Return the models of models.yaml, in the order of the file."""
    return _registry().models


def imported() -> tuple[Model, ...]:
    """Return the models that were imported into the cache, sorted by name."""
    records = sorted((cache.home() / "models").glob("*/model.json"))
    return tuple(Model.model_validate_json(path.read_bytes()) for path in records)


def models() -> tuple[Model, ...]:
    """Return all known models: first the official models, then the imported models."""
    return official() + imported()


def find(name: str) -> Model:
    """Return the model with this name.

    Raises:
        UnknownModelError: no model has this name; the message lists the known models.
    """
    known = {model.name: model for model in models()}
    if name in known:
        return known[name]
    raise UnknownModelError(f"unknown model {name!r}; the known models are: {', '.join(known)}")
