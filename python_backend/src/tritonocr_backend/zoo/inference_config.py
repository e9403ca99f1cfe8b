"""`inference.yml`: how a network wants its input and what its output means, in PaddleX's format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ruamel.yaml import YAML, YAMLError

from tritonocr_backend.zoo import registry
from tritonocr_backend.zoo.errors import ModelFormatError, UnknownModelError
from tritonocr_backend.zoo.registry import DetectionSettings, Role

FILE_NAME = "inference.yml"


@dataclass(frozen=True)
class Normalisation:
    """`(pixel · scale − mean) / std` per channel, channels in `channel_order`."""

    scale: float
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    channel_order: Literal["BGR", "RGB"]


@dataclass(frozen=True)
class InferenceConfig:
    """Typed view of one `inference.yml`.

    Attributes:
        model_name: `Global.model_name`: the architecture's official name, not the name it is served under.
        input_shape: (height, width) in pixels; None where the network takes any.
        characters: The recognition dictionary, without CTC blank and the closing space; else empty.
        labels: Class labels in the order of the classes; else empty.
        postprocess: Detection thresholds as the file states them.
    """

    model_name: str
    role: Role
    input_shape: tuple[int | None, int | None]
    normalisation: Normalisation
    characters: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    postprocess: DetectionSettings = DetectionSettings()


# Recognition and unwarping state no normalisation in their files: it is fixed in PaddleX's code.
_RECOGNITION = Normalisation(1 / 255, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), "BGR")
_UNWARPING = Normalisation(1 / 255, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), "BGR")

_LABELS = {
    Role.DOC_ORIENTATION: ("0", "90", "180", "270"),
    Role.TEXTLINE_ORIENTATION: ("0_degree", "180_degree"),
}
_IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}


def load(model_dir: Path) -> InferenceConfig:
    """Read `model_dir/inference.yml`.

    Raises:
        ModelFormatError: The file is missing, is not YAML, or lacks what its role needs.
    """
    path = model_dir / FILE_NAME
    try:
        content = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
        return parse(content)
    except FileNotFoundError:
        raise ModelFormatError(f"{model_dir} has no {FILE_NAME}") from None
    except UnicodeDecodeError as error:
        raise ModelFormatError(f"{path} is not UTF-8 text: {error.reason} at byte {error.start}") from None
    except YAMLError as error:
        raise ModelFormatError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
    except ModelFormatError as error:
        raise ModelFormatError(f"{path}: {error}") from None


def parse(content: object) -> InferenceConfig:
    """The typed view of the parsed YAML `content` (raises ModelFormatError)."""
    root = _mapping(content, "the file")
    name = _mapping(root.get("Global"), "Global").get("model_name")
    if not isinstance(name, str) or not name:
        raise ModelFormatError(f"Global.model_name must be a name, got {name!r}")
    post = _mapping(root.get("PostProcess") or {}, "PostProcess")
    ops = _operators(_mapping(root.get("PreProcess") or {}, "PreProcess").get("transform_ops") or [])
    role = _role(name, ops, post)
    return InferenceConfig(
        model_name=name,
        role=role,
        input_shape=_input_shape(role, ops),
        normalisation=_normalisation(role, ops),
        characters=_strings(post, "character_dict") if role is Role.TEXT_RECOGNITION else (),
        labels=_strings(_mapping(post.get("Topk"), "PostProcess.Topk"), "label_list")
        if role in _LABELS
        else (),
        postprocess=_postprocess(post) if role is Role.TEXT_DETECTION else DetectionSettings(),
    )


def compose(
    role: Role,
    model_name: str,
    *,
    characters: Sequence[str] = (),
    input_shape: tuple[int, int] | None = None,
    postprocess: DetectionSettings | None = None,
) -> dict[str, Any]:
    """The content of an `inference.yml` for weights that come without one.

    Args:
        characters: Recognition only: the dictionary, without blank and closing space.
        input_shape: Line orientation only: (height, width), where it is not PP-LCNet's 80×160 with
            ImageNet normalisation but the older 48×192 classifier with mean and deviation one half.
        postprocess: Detection only: thresholds where they differ from PP-OCRv4's.
    """
    pre, post = {
        Role.DOC_ORIENTATION: lambda: (
            [{"ResizeImage": {"resize_short": 256}}, {"CropImage": {"size": 224}}, _normalize(_IMAGENET)],
            _topk(role),
        ),
        Role.DOC_UNWARPING: lambda: ([], {}),
        Role.TEXT_DETECTION: lambda: (
            [{"DetResizeForTest": {"resize_long": 960}}, _normalize(_IMAGENET)],
            _db_postprocess(postprocess or DetectionSettings()),
        ),
        Role.TEXTLINE_ORIENTATION: lambda: (_textline_operators(input_shape), _topk(role)),
        Role.TEXT_RECOGNITION: lambda: (
            [{"RecResizeImg": {"image_shape": [3, 48, 320]}}],
            {"name": "CTCLabelDecode", "character_dict": list(characters)},
        ),
    }[role]()
    return {"Global": {"model_name": model_name}, "PreProcess": {"transform_ops": pre}, "PostProcess": post}


def save(content: Mapping[str, Any], model_dir: Path) -> None:
    """Write `content` as `model_dir/inference.yml`."""
    yaml = YAML(typ="safe")
    yaml.allow_unicode = True
    yaml.default_flow_style = False
    with (model_dir / FILE_NAME).open("w", encoding="utf-8") as file:
        yaml.dump(dict(content), file)


def _normalize(mean_std: Mapping[str, list[float]]) -> dict[str, Any]:
    return {"NormalizeImage": {"scale": 1 / 255, **mean_std}}


def _topk(role: Role) -> dict[str, Any]:
    return {"Topk": {"topk": 1, "label_list": list(_LABELS[role])}}


def _textline_operators(input_shape: tuple[int, int] | None) -> list[dict[str, Any]]:
    height, width = input_shape or (80, 160)
    half = {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}
    return [{"ResizeImage": {"size": [width, height]}}, _normalize(half if input_shape else _IMAGENET)]


def _db_postprocess(settings: DetectionSettings) -> dict[str, Any]:
    published = {"thresh": 0.3, "box_thresh": 0.6, "max_candidates": 1000, "unclip_ratio": 1.5}
    return {"name": "DBPostProcess", **published, **settings.model_dump(exclude_none=True)}


def _mapping(value: object, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ModelFormatError(f"{where} must be a mapping, got {value!r:.60}")
    return value


def _operators(transform_ops: object) -> dict[str, Mapping[str, Any]]:
    if not isinstance(transform_ops, list):
        raise ModelFormatError(f"PreProcess.transform_ops must be a list, got {transform_ops!r:.60}")
    return {
        name: _mapping(arguments or {}, f"PreProcess.transform_ops.{name}")
        for operator in transform_ops
        for name, arguments in _mapping(operator, "an entry of PreProcess.transform_ops").items()
    }


def _role(name: str, ops: Mapping[str, Any], post: Mapping[str, Any]) -> Role:
    try:
        return registry.find(name).role
    except UnknownModelError:
        pass
    if post.get("name") == "DBPostProcess":
        return Role.TEXT_DETECTION
    if post.get("name") == "CTCLabelDecode":
        return Role.TEXT_RECOGNITION
    if "Topk" in post:
        return Role.DOC_ORIENTATION if "CropImage" in ops else Role.TEXTLINE_ORIENTATION
    raise ModelFormatError(
        f"{name!r} is no known model, and PostProcess names none of DBPostProcess, CTCLabelDecode and Topk "
        "from which its role could be told"
    )


def _input_shape(role: Role, ops: Mapping[str, Mapping[str, Any]]) -> tuple[int | None, int | None]:
    if role is Role.DOC_ORIENTATION:
        size = _integers(ops, "CropImage", "size", 1)[0]
        return size, size
    if role is Role.TEXTLINE_ORIENTATION:
        width, height = _integers(ops, "ResizeImage", "size", 2)
        return height, width
    if role is Role.TEXT_RECOGNITION:
        return _integers(ops, "RecResizeImg", "image_shape", 3)[1], None
    return None, None


def _integers(ops: Mapping[str, Mapping[str, Any]], operator: str, key: str, count: int) -> list[int]:
    value = ops.get(operator, {}).get(key)
    items = value if isinstance(value, list) else [value]
    if len(items) != count or not all(type(item) is int and item > 0 for item in items):
        raise ModelFormatError(f"{operator}.{key} must be {count} positive integer(s), got {value!r:.60}")
    return items


def _normalisation(role: Role, ops: Mapping[str, Mapping[str, Any]]) -> Normalisation:
    if role is Role.TEXT_RECOGNITION:
        return _RECOGNITION
    if role is Role.DOC_UNWARPING:
        return _UNWARPING
    arguments = ops.get("NormalizeImage", {})
    # PaddleX leaves detection in BGR, and turns the classifiers' images to RGB before they are normalised.
    order: Literal["BGR", "RGB"] = "BGR" if role is Role.TEXT_DETECTION else "RGB"
    scale = _scale(arguments.get("scale", 1 / 255))
    return Normalisation(scale, _triple(arguments, "mean"), _triple(arguments, "std"), order)


def _scale(value: object) -> float:
    """A number, or PaddleX's quotient in words: '1./255.'."""
    try:
        numerator, _, denominator = str(value).partition("/")
        return float(numerator) / float(denominator or 1)
    except (ValueError, ZeroDivisionError):
        raise ModelFormatError(
            f"NormalizeImage.scale must be a number or a quotient, got {value!r:.60}"
        ) from None


def _triple(arguments: Mapping[str, Any], key: str) -> tuple[float, float, float]:
    value = arguments.get(key)
    if (
        not isinstance(value, list)
        or len(value) != 3
        or not all(isinstance(item, int | float) for item in value)
    ):
        raise ModelFormatError(f"NormalizeImage.{key} must be three numbers, got {value!r:.60}")
    return float(value[0]), float(value[1]), float(value[2])


def _strings(mapping: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = mapping.get(key)
    if not isinstance(value, list) or not value:
        raise ModelFormatError(f"PostProcess {key} must be a list of strings, got {value!r:.60}")
    for line, item in enumerate(value):
        if not isinstance(item, str):
            raise ModelFormatError(f"PostProcess {key}[{line}] must be a string, got {item!r:.60}")
    return tuple(value)


def _postprocess(post: Mapping[str, Any]) -> DetectionSettings:
    values = {key: post[key] for key in DetectionSettings.model_fields if post.get(key) is not None}
    for key, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ModelFormatError(f"PostProcess.{key} must be a number, got {value!r:.60}")
    return DetectionSettings(**values)
