"""Read and write `inference.yml`, PaddleX's description of a network's input and output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError
from ruamel.yaml import YAML

from tritonocr_backend.core.contracts import IMAGE_SIZES, Role
from tritonocr_backend.core.network_metadata import Normalisation
from tritonocr_backend.zoo import layout, registry, yaml_text
from tritonocr_backend.zoo.errors import ModelFormatError, UnknownModelError
from tritonocr_backend.zoo.registry import Model
from tritonocr_backend.zoo.validation import describe
from tritonocr_backend.zoo.yaml_text import YamlProblem


@dataclass(frozen=True)
class InferenceConfig:
    """The content of an `inference.yml`.

    Detection thresholds are not read. PaddleX's OCR pipeline also takes them from OCR.yaml.

    Attributes:
        model_name: `Global.model_name`, the official name of the architecture; the served name may differ.
        architecture: the registry's record of `model_name`; None for an unknown architecture.
        role: role of the architecture; for an unknown architecture, the role that the operators imply.
        input_shape: (height, width) in pixels; None for a size that the network does not fix.
        normalisation: how a uint8 image becomes the input of the network.
        characters: recognition dictionary without the CTC blank and the closing space; empty for other roles.
        labels: class labels of a classifier in the order of its classes; empty for other roles.
    """

    model_name: str
    architecture: Model | None
    role: Role
    input_shape: tuple[int | None, int | None]
    normalisation: Normalisation
    characters: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()

    @property
    def own_size(self) -> tuple[int, int] | None:
        """Return the (height, width) of the input; None if it is the standard size of the role."""
        height, width = self.input_shape
        if height is None or width is None or self.input_shape == IMAGE_SIZES[self.role]:
            return None
        return height, width


def _quotient(value: object) -> object:
    """Return a scale as a number; PaddleX writes a number or a quotient, such as '1./255.'."""
    if not isinstance(value, str):
        return value
    numerator, _, denominator = value.partition("/")
    return float(numerator) / float(denominator or 1) if float(denominator or 1) else value


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, protected_namespaces=())


_Size = Annotated[int, Field(gt=0)]
_Floats = Annotated[list[float], Field(min_length=3, max_length=3)]
_Strings = Annotated[list[str], Field(min_length=1)]


class _Global(_Part):
    model_name: str = Field(min_length=1)


class _PreProcess(_Part):
    transform_ops: list[dict[str, dict[str, Any] | None]] = []


class _Topk(_Part):
    label_list: _Strings


class _PostProcess(_Part):
    name: str | None = None
    Topk: _Topk | None = None
    character_dict: _Strings | None = None


class _File(_Part):
    Global: _Global
    PreProcess: _PreProcess = _PreProcess()
    PostProcess: _PostProcess = _PostProcess()


class _NormalizeImage(_Part):
    scale: Annotated[float, BeforeValidator(_quotient)] = 1 / 255
    mean: _Floats
    std: _Floats


def load(model_dir: Path) -> InferenceConfig:
    """Read `model_dir/inference.yml`.

    Raises:
        ModelFormatError: the file is missing, is not YAML, or a value that the role needs is missing.
    """
    path = model_dir / layout.CONFIG
    try:
        return parse(yaml_text.parse(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise ModelFormatError(f"{model_dir} has no {layout.CONFIG}") from None
    except UnicodeDecodeError as error:
        raise ModelFormatError(f"{path} is not UTF-8 text: {error.reason} at byte {error.start}") from None
    except YamlProblem as problem:
        raise ModelFormatError(f"{path}:{problem.line}: {problem}") from None
    except ModelFormatError as error:
        raise ModelFormatError(f"{path}: {error}") from None


def parse(content: object) -> InferenceConfig:
    """Check the parsed YAML `content` and return it as an InferenceConfig.

    Raises:
        ModelFormatError: a value is missing or invalid.
    """
    try:
        file = _File.model_validate(content)
        return _view(file)
    except ValidationError as error:
        raise ModelFormatError(describe(error)) from None
    except UnicodeEncodeError:  # an escape in YAML can be a lone surrogate
        raise ModelFormatError("a text contains a lone surrogate, which is not a character") from None


def _view(file: _File) -> InferenceConfig:
    ops = {name: arguments or {} for op in file.PreProcess.transform_ops for name, arguments in op.items()}
    post = file.PostProcess
    architecture = _architecture(file.Global.model_name)
    role = architecture.role if architecture else _implied_role(file.Global.model_name, ops, post)
    if role is Role.TEXT_RECOGNITION and not post.character_dict:
        raise ModelFormatError(
            "PostProcess.character_dict is missing: a recognition model needs its characters"
        )
    if role in _LABELS and not post.Topk:
        raise ModelFormatError(
            "PostProcess.Topk.label_list is missing: a classifier needs the labels of its classes"
        )
    return InferenceConfig(
        model_name=file.Global.model_name,
        architecture=architecture,
        role=role,
        input_shape=_input_shape(role, ops),
        normalisation=_normalisation(role, ops),
        characters=tuple(post.character_dict or ()),
        labels=tuple(post.Topk.label_list) if post.Topk else (),
    )


def _architecture(name: str) -> Model | None:
    with suppress(UnknownModelError):
        return registry.find(name)
    return None


def _implied_role(name: str, ops: Mapping[str, Any], post: _PostProcess) -> Role:
    if post.name == "DBPostProcess":
        return Role.TEXT_DETECTION
    if post.name == "CTCLabelDecode":
        return Role.TEXT_RECOGNITION
    if post.Topk:
        return Role.DOC_ORIENTATION if "CropImage" in ops else Role.TEXTLINE_ORIENTATION
    raise ModelFormatError(
        f"the role of {name!r} is not known: the registry does not contain this model, and PostProcess "
        "contains none of DBPostProcess, CTCLabelDecode and Topk"
    )


def _input_shape(role: Role, ops: Mapping[str, Mapping[str, Any]]) -> tuple[int | None, int | None]:
    if role is Role.DOC_ORIENTATION:
        (size,) = _sizes(ops, "CropImage", "size", 1)
        return size, size
    if role is Role.TEXTLINE_ORIENTATION:
        width, height = _sizes(ops, "ResizeImage", "size", 2)
        return height, width
    if role is Role.TEXT_RECOGNITION:
        return _line_height(_sizes(ops, "RecResizeImg", "image_shape", 3)[1]), None
    return None, None


def _line_height(height: int) -> int:
    expected = IMAGE_SIZES[Role.TEXT_RECOGNITION][0]
    if height != expected:
        raise ModelFormatError(
            f"PreProcess RecResizeImg.image_shape: got a line height of {height} px, expected {expected} px"
        )
    return height


def _sizes(ops: Mapping[str, Mapping[str, Any]], operator: str, key: str, count: int) -> list[int]:
    value = ops.get(operator, {}).get(key)
    values = value if isinstance(value, list) else [value]
    try:
        sizes = TypeAdapter(list[_Size]).validate_python(values, strict=True)
    except ValidationError:
        sizes = []
    if len(sizes) != count:
        raise ModelFormatError(
            f"PreProcess {operator}.{key}: got {value!r:.60}, expected {count} size(s) in pixels"
        )
    return sizes


# The files of recognition and unwarping models contain no normalisation: PaddleX's code fixes it.
_FIXED_NORMALISATION = {
    Role.TEXT_RECOGNITION: Normalisation(1 / 255, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), "BGR"),
    Role.DOC_UNWARPING: Normalisation(1 / 255, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), "BGR"),
}


def _normalisation(role: Role, ops: Mapping[str, Mapping[str, Any]]) -> Normalisation:
    if role in _FIXED_NORMALISATION:
        return _FIXED_NORMALISATION[role]
    if "NormalizeImage" not in ops:
        raise ModelFormatError("PreProcess.transform_ops has no NormalizeImage")
    stated = _NormalizeImage.model_validate(ops["NormalizeImage"])
    mean, std = ((red, green, blue) for red, green, blue in (stated.mean, stated.std))
    # PaddleX normalises detection images in BGR, and images for classifiers in RGB.
    return Normalisation(stated.scale, mean, std, "BGR" if role is Role.TEXT_DETECTION else "RGB")


_LABELS = {
    Role.DOC_ORIENTATION: ["0", "90", "180", "270"],
    Role.TEXTLINE_ORIENTATION: ["0_degree", "180_degree"],
}
_IMAGENET: dict[str, Any] = {"scale": 1 / 255, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
_HALF: dict[str, Any] = {"scale": 1 / 255, "mean": [0.5] * 3, "std": [0.5] * 3}
_TEXTLINE_OPS: dict[tuple[int, int], list[dict[str, Any]]] = {
    (80, 160): [{"ResizeImage": {"size": [160, 80]}}, {"NormalizeImage": _IMAGENET}],
    (48, 192): [{"ResizeImage": {"size": [192, 48]}}, {"NormalizeImage": _HALF}],
}


def compose(
    role: Role,
    model_name: str,
    *,
    characters: Sequence[str] = (),
    input_shape: tuple[int, int] = (80, 160),
) -> dict[str, Any]:
    """Return the content of an `inference.yml` for a model whose source contains none.

    Detection thresholds are not written: the registry owns them (`registry.DetectionSettings`).

    Args:
        role: role of the network.
        model_name: official name of the model.
        characters: recognition dictionary, without the CTC blank and the closing space.
        input_shape: (height, width) in pixels for line orientation: 80 x 160, or 48 x 192 (older model).
    """
    pre: list[dict[str, Any]] = []
    post: dict[str, Any] = {}
    if role is Role.DOC_ORIENTATION:
        pre = [
            {"ResizeImage": {"resize_short": 256}},
            {"CropImage": {"size": 224}},
            {"NormalizeImage": _IMAGENET},
        ]
    elif role is Role.TEXTLINE_ORIENTATION:
        pre = _TEXTLINE_OPS[input_shape]
    elif role is Role.TEXT_DETECTION:
        pre = [{"DetResizeForTest": {"resize_long": 960}}, {"NormalizeImage": _IMAGENET}]
        post = {"name": "DBPostProcess"}
    elif role is Role.TEXT_RECOGNITION:
        pre = [{"RecResizeImg": {"image_shape": [3, 48, 320]}}]
        post = {"name": "CTCLabelDecode", "character_dict": list(characters)}
    if role in _LABELS:
        post = {"Topk": {"topk": 1, "label_list": _LABELS[role]}}
    return {"Global": {"model_name": model_name}, "PreProcess": {"transform_ops": pre}, "PostProcess": post}


def save(content: Mapping[str, Any], model_dir: Path) -> None:
    """Write `content` as `model_dir/inference.yml`."""
    yaml: Any = YAML(typ="safe")
    yaml.allow_unicode = True
    yaml.default_flow_style = False
    with (model_dir / layout.CONFIG).open("w", encoding="utf-8") as file:
        yaml.dump(dict(content), file)
