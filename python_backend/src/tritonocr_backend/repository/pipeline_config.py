"""Read and write `OCR.yaml`, the configuration of the pipeline in PaddleX's format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from tritonocr_backend.core.contracts import Role
from tritonocr_backend.core.settings import DEFAULT_NETWORKS, OPTION_OF_ROLE, ROLE_OF_FLAG, PipelineSettings
from tritonocr_backend.zoo import layout, registry, yaml_text
from tritonocr_backend.zoo.errors import PipelineConfigError, ZooError
from tritonocr_backend.zoo.names import check_model_name
from tritonocr_backend.zoo.validation import describe
from tritonocr_backend.zoo.yaml_text import YamlProblem
from tritonocr_common.options import OPTIONS, Option, OptionValue, OptionValueError
from tritonocr_common.paddlex_keys import KEYS_WITHOUT_EFFECT


@dataclass(frozen=True)
class PipelineConfig:
    """The content of an `OCR.yaml`.

    Attributes:
        networks: the model of each role that is on. A role that is off needs no model.
        model_dirs: directory with the weights in PaddleX's layout, by the name of the model. Models without a
            directory are downloaded.
        options: the options that the file states, by name.
        warnings: one sentence per unknown key.
    """

    networks: Mapping[Role, str]
    model_dirs: Mapping[str, Path]
    options: Mapping[str, OptionValue]
    warnings: tuple[str, ...] = ()

    def settings(self) -> PipelineSettings:
        """Return the settings of the `ocr` model."""
        return PipelineSettings(networks=dict(self.networks), options=dict(self.options))


def default() -> PipelineConfig:
    """Return the default pipeline, which is the pipeline of PaddleX's tutorial."""
    return PipelineConfig(networks=DEFAULT_NETWORKS, model_dirs={}, options={})


OPTION_KEYS: Mapping[tuple[str, ...], Option] = {
    tuple(option.yaml_key.split(".")): option
    for option in OPTIONS.values()
    if option.yaml_key and option.name not in OPTION_OF_ROLE.values()  # `_Module` reads the model names
}
"""The option for each location in the file."""


class _Section(BaseModel):
    """A mapping of the file. A key without a field is an option (OPTION_KEYS) or is ignored."""

    model_config = ConfigDict(strict=True, extra="allow", protected_namespaces=())


class _Module(_Section):
    role: ClassVar[Role]
    model_dir: str | None = None
    model_name: str = ""

    @field_validator("model_dir")
    @classmethod
    def _check_model_dir(cls, value: str | None) -> str | None:
        try:
            if value is not None:
                layout.file_format(Path(value).absolute())
        except ZooError as error:
            raise ValueError(str(error)) from None
        return value

    @field_validator("model_name")
    @classmethod
    def _check_model_name(cls, value: str, info: ValidationInfo) -> str:
        fitting = [model.name for model in registry.models() if model.role is cls.role]
        own_weights = info.data.get("model_dir") is not None  # inference.yml then states the architecture
        if not own_weights and value not in fitting:
            raise ValueError(
                f"got {value!r}, expected one of {', '.join(fitting)}; for the weights of another model, set "
                f"model_dir to its directory (PaddleX stores what it downloads in ~/.paddlex/official_models)"
            )
        try:
            return check_model_name(value) if value else value
        except ZooError as error:
            raise ValueError(str(error)) from None


class _DocOrientationClassify(_Module):
    role = Role.DOC_ORIENTATION
    module_name: Literal["doc_text_orientation"] = "doc_text_orientation"


class _DocUnwarping(_Module):
    role = Role.DOC_UNWARPING
    module_name: Literal["image_unwarping"] = "image_unwarping"


class _TextDetection(_Module):
    role = Role.TEXT_DETECTION
    module_name: Literal["text_detection"] = "text_detection"


class _TextLineOrientation(_Module):
    role = Role.TEXTLINE_ORIENTATION
    module_name: Literal["textline_orientation"] = "textline_orientation"


class _TextRecognition(_Module):
    role = Role.TEXT_RECOGNITION
    module_name: Literal["text_recognition"] = "text_recognition"


class _DocModules(_Section):
    DocOrientationClassify: _DocOrientationClassify = _DocOrientationClassify()
    DocUnwarping: _DocUnwarping = _DocUnwarping()


class _DocPreprocessor(_Section):
    pipeline_name: Literal["doc_preprocessor"] = "doc_preprocessor"
    SubModules: _DocModules = _DocModules()


class _SubPipelines(_Section):
    DocPreprocessor: _DocPreprocessor = _DocPreprocessor()


class _Modules(_Section):
    TextDetection: _TextDetection = _TextDetection()
    TextLineOrientation: _TextLineOrientation = _TextLineOrientation()
    TextRecognition: _TextRecognition = _TextRecognition()


class _File(_Section):
    pipeline_name: Literal["OCR"]
    text_type: Literal["general"] = "general"
    use_doc_preprocessor: bool = True
    SubPipelines: _SubPipelines = Field(default_factory=_SubPipelines)
    SubModules: _Modules = Field(default_factory=_Modules)


def load(path: Path) -> PipelineConfig:
    """Read and check an `OCR.yaml`.

    A relative `model_dir` is resolved against the working directory, as in PaddleX.

    Raises:
        PipelineConfigError: the file cannot be read, is not YAML, or contains an invalid value. The message
            names the file, the line and the key.
    """
    try:
        content = yaml_text.parse(path.read_text(encoding="utf-8"), keep_lines=True)
    except (OSError, UnicodeDecodeError) as error:
        raise PipelineConfigError(f"{path} cannot be read", str(getattr(error, "strerror", error))) from None
    except YamlProblem as problem:
        raise PipelineConfigError(f"{path}:{problem.line}", str(problem)) from None
    try:
        file = _File.model_validate(content)
    except ValidationError as error:
        line = _line(content, error.errors()[0]["loc"])
        raise PipelineConfigError(f"{path}:{line}", describe(error)) from None
    except UnicodeEncodeError:  # an escape sequence in YAML can encode a lone surrogate
        raise PipelineConfigError(
            f"{path}:1", "a string contains a lone surrogate, which is not a character"
        ) from None
    return _config(file, _options(content, path), _warnings(file, content, path))


def _options(content: Any, path: Path) -> dict[str, OptionValue]:
    """Return the options that the file states."""
    options = {}
    for location, option in OPTION_KEYS.items():
        if (value := _value(content, location)) is None:
            continue
        try:
            options[option.name] = option.check(value)
        except OptionValueError as error:
            key, line = ".".join(location), _line(content, location)
            raise PipelineConfigError(
                f"{path}:{line}", f"{key}: got {error.got}, expected {error.expected}"
            ) from None
    return options


def _value(content: Any, location: Sequence[str]) -> Any:
    for key in location:
        content = content.get(key) if isinstance(content, Mapping) else None
    return content


def _config(file: _File, options: dict[str, OptionValue], warnings: tuple[str, ...]) -> PipelineConfig:
    if not file.use_doc_preprocessor:
        options |= {"use_doc_orientation_classify": False, "use_doc_unwarping": False}
    off = {role for flag, role in ROLE_OF_FLAG.items() if not options.get(flag, OPTIONS[flag].default)}
    used = [module for module in _modules(file) if module.role not in off]
    names = {module.role: module.model_name or DEFAULT_NETWORKS[module.role] for module in used}
    model_dirs = {names[module.role]: Path(module.model_dir) for module in used if module.model_dir}
    return PipelineConfig(names, model_dirs, options, warnings)


def _modules(section: _Section) -> Iterator[_Module]:
    """Yield the modules of a section and of the sections in it, in the file's order."""
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, _Module):
            yield value
        elif isinstance(value, _Section):
            yield from _modules(value)


def _warnings(file: _File, content: Any, path: Path) -> tuple[str, ...]:
    return tuple(
        f"{path}:{_line(content, location)}: {'.'.join(location)} is not supported and is ignored"
        for location in _unknown_keys(file)
    )


def _unknown_keys(section: _Section, location: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    here = ((*location, str(key)) for key in section.model_extra or {})
    yield from (key for key in here if key not in OPTION_KEYS and key[-1] not in KEYS_WITHOUT_EFFECT)
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, _Section):
            yield from _unknown_keys(value, (*location, name))


def _line(content: Any, location: Sequence[int | str]) -> int:
    """Return the line number (from 1) of the last key of `location` that the file contains."""
    line = 1
    for key in location:
        if not isinstance(content, Mapping) or key not in content:
            break
        line = content.lc.key(key)[0] + 1  # type: ignore[attr-defined]  # ruamel's mappings store their lines
        content = content[key]
    return line


_MODEL_DIR_NOTE = "  # a directory with inference.yml and your own weights; null downloads them"


def default_text() -> str:
    """Return the default configuration as the text of an `OCR.yaml`."""
    content = _content(_File(pipeline_name="OCR"))
    for location, option in OPTION_KEYS.items():
        section = content
        for key in location[:-1]:
            section = section[key]
        section[location[-1]] = option.default
    text = "\n".join(_yaml_lines(content)) + "\n"
    return text.replace("model_dir: null", "model_dir: null" + _MODEL_DIR_NOTE, 1)


def _content(section: _Section) -> dict[str, Any]:
    """Return the fields of a section, with the name of the default model in each module."""
    fields = {name: getattr(section, name) for name in type(section).model_fields}
    if isinstance(section, _Module):
        name = DEFAULT_NETWORKS[section.role]
        return {"module_name": fields["module_name"], "model_name": name, "model_dir": None}
    return {name: _content(value) if isinstance(value, _Section) else value for name, value in fields.items()}


def _yaml_lines(content: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    for key, value in sorted(content.items(), key=lambda item: isinstance(item[1], dict)):  # sections last
        if isinstance(value, dict):
            yield f"{indent}{key}:"
            yield from _yaml_lines(value, indent + "  ")
        else:
            yield f"{indent}{key}: {'null' if value is None else value}"
