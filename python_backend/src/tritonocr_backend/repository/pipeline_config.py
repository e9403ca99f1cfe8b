"""`OCR.yaml`, the pipeline's configuration in PaddleX's own format: which models, and their settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from tritonocr_backend.core.contracts import Role
from tritonocr_backend.core.errors import InvalidInputError
from tritonocr_backend.core.settings import DEFAULT_NETWORKS, PAGE_OPTIONS, OptionValue, PipelineSettings
from tritonocr_backend.zoo import layout, registry, yaml_text
from tritonocr_backend.zoo.errors import PipelineConfigError, ZooError
from tritonocr_backend.zoo.validation import describe
from tritonocr_backend.zoo.yaml_text import YamlProblem


@dataclass(frozen=True)
class PipelineConfig:
    """What an `OCR.yaml` asks for.

    Attributes:
        networks: The model of each role that is switched on; a role that is off needs no model.
        model_dirs: Directories in PaddleX's layout with the weights of a model, by its name; a model
            without one is fetched.
        options: The options that the file states, under the names of PAGE_OPTIONS.
        warnings: A sentence for each key that has no meaning here.
    """

    networks: Mapping[Role, str]
    model_dirs: Mapping[str, Path]
    options: Mapping[str, OptionValue]
    warnings: tuple[str, ...] = ()

    def settings(self) -> PipelineSettings:
        """The settings of the `ocr` model: what the file states, over the defaults."""
        defaults = PipelineSettings()
        return PipelineSettings(networks=dict(self.networks), options={**defaults.options, **self.options})


def default() -> PipelineConfig:
    """The tutorial's pipeline, where no file states anything."""
    return PipelineConfig(networks=DEFAULT_NETWORKS, model_dirs={}, options={})


class _Section(BaseModel):
    """A mapping of the file. Its keys that are options of `ocr`, given a prefix, are checked as those."""

    model_config = ConfigDict(strict=True, extra="allow", protected_namespaces=())
    option_prefix: ClassVar[str] = ""

    @field_validator("*")
    @classmethod
    def _check_option(cls, value: Any, info: ValidationInfo) -> Any:
        option = PAGE_OPTIONS.get(f"{cls.option_prefix}{info.field_name}")
        if option is None or value is None:
            return value
        try:
            return option.check(value)
        except InvalidInputError as error:
            raise ValueError(str(error).removeprefix(f"{option.name}: ")) from None

    def options(self) -> dict[str, OptionValue]:
        """The options that this section states."""
        names = {f"{self.option_prefix}{name}": getattr(self, name) for name in type(self).model_fields}
        return {name: value for name, value in names.items() if name in PAGE_OPTIONS and value is not None}


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
        own_weights = info.data.get("model_dir") is not None  # then inference.yml says what it is
        if not own_weights and value not in fitting:
            raise ValueError(f"got {value!r}, expected one of {', '.join(fitting)}")
        return value


class _DocOrientationClassify(_Module):
    role = Role.DOC_ORIENTATION
    module_name: Literal["doc_text_orientation"] = "doc_text_orientation"


class _DocUnwarping(_Module):
    role = Role.DOC_UNWARPING
    module_name: Literal["image_unwarping"] = "image_unwarping"


class _TextDetection(_Module):
    role = Role.TEXT_DETECTION
    option_prefix = "text_det_"
    module_name: Literal["text_detection"] = "text_detection"
    limit_side_len: Any = None
    limit_type: Any = None
    thresh: Any = None
    box_thresh: Any = None
    unclip_ratio: Any = None


class _TextLineOrientation(_Module):
    role = Role.TEXTLINE_ORIENTATION
    module_name: Literal["textline_orientation"] = "textline_orientation"


class _TextRecognition(_Module):
    role = Role.TEXT_RECOGNITION
    option_prefix = "text_rec_"
    module_name: Literal["text_recognition"] = "text_recognition"
    score_thresh: Any = None


class _DocModules(_Section):
    DocOrientationClassify: _DocOrientationClassify = _DocOrientationClassify()
    DocUnwarping: _DocUnwarping = _DocUnwarping()


class _DocPreprocessor(_Section):
    pipeline_name: Literal["doc_preprocessor"] = "doc_preprocessor"
    use_doc_orientation_classify: Any = None
    use_doc_unwarping: Any = None
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
    use_textline_orientation: Any = None
    SubPipelines: _SubPipelines = Field(default_factory=_SubPipelines)
    SubModules: _Modules = Field(default_factory=_Modules)


def load(path: Path) -> PipelineConfig:
    """Read and check an `OCR.yaml`.

    A relative `model_dir` starts at the working directory, as in PaddleX.

    Raises:
        PipelineConfigError: The file cannot be read, is not YAML, or holds a wrong value; the message
            names the file, the line and the key.
    """
    try:
        content = yaml_text.parse(path.read_text(encoding="utf-8"), keep_lines=True)
    except (OSError, UnicodeDecodeError) as error:
        raise PipelineConfigError(f"{path} cannot be read: {error}") from None
    except YamlProblem as problem:
        raise PipelineConfigError(f"{path}:{problem.line}: {problem}") from None
    try:
        file = _File.model_validate(content)
    except ValidationError as error:
        line = _line(content, error.errors()[0]["loc"])
        raise PipelineConfigError(f"{path}:{line}: {describe(error)}") from None
    except UnicodeEncodeError:  # an escape in YAML can stand for half a character
        raise PipelineConfigError(
            f"{path}:1: a text in it holds a lone surrogate, which is no character"
        ) from None
    return _config(file, _warnings(file, content, path))


def _config(file: _File, warnings: tuple[str, ...]) -> PipelineConfig:
    preprocessor, modules = file.SubPipelines.DocPreprocessor, file.SubModules
    options = {**file.options(), **preprocessor.options()}
    options |= {**modules.TextDetection.options(), **modules.TextRecognition.options()}
    if not file.use_doc_preprocessor:
        options |= {"use_doc_orientation_classify": False, "use_doc_unwarping": False}
    switched = {
        "use_doc_orientation_classify": preprocessor.SubModules.DocOrientationClassify,
        "use_doc_unwarping": preprocessor.SubModules.DocUnwarping,
        "use_textline_orientation": modules.TextLineOrientation,
    }
    used: list[_Module] = [
        module for flag, module in switched.items() if options.get(flag, PAGE_OPTIONS[flag].default)
    ]
    used += [modules.TextDetection, modules.TextRecognition]
    names = {module.role: module.model_name or DEFAULT_NETWORKS[module.role] for module in used}
    model_dirs = {names[module.role]: Path(module.model_dir) for module in used if module.model_dir}
    return PipelineConfig(names, model_dirs, options, warnings)


def _warnings(file: _File, content: Any, path: Path) -> tuple[str, ...]:
    return tuple(
        f"{path}:{_line(content, location)}: {'.'.join(location)} has no meaning here and is ignored"
        for location in _unknown_keys(file)
    )


def _unknown_keys(section: _Section, location: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield from ((*location, str(key)) for key in section.model_extra or {})
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, _Section):
            yield from _unknown_keys(value, (*location, name))


def _line(content: Any, location: Sequence[int | str]) -> int:
    """The line (from 1) of the last key of `location` that stands in the file."""
    line = 1
    for key in location:
        if not isinstance(content, Mapping) or key not in content:
            break
        line = content.lc.key(key)[0] + 1  # type: ignore[attr-defined]  # ruamel's mappings know their lines
        content = content[key]
    return line


_DEFAULT = """\
pipeline_name: OCR

text_type: general

use_doc_preprocessor: True
use_textline_orientation: {use_textline_orientation}

SubPipelines:
  DocPreprocessor:
    pipeline_name: doc_preprocessor
    use_doc_orientation_classify: {use_doc_orientation_classify}
    use_doc_unwarping: {use_doc_unwarping}
    SubModules:
      DocOrientationClassify:
        module_name: doc_text_orientation
        model_name: {doc_orientation}
        model_dir: null  # a directory with inference.yml and your own weights; null: they are fetched
      DocUnwarping:
        module_name: image_unwarping
        model_name: {doc_unwarping}
        model_dir: null

SubModules:
  TextDetection:
    module_name: text_detection
    model_name: {text_detection}
    model_dir: null
    limit_side_len: {text_det_limit_side_len}
    limit_type: {text_det_limit_type}
    thresh: {text_det_thresh}
    box_thresh: {text_det_box_thresh}
    unclip_ratio: {text_det_unclip_ratio}
  TextLineOrientation:
    module_name: textline_orientation
    model_name: {textline_orientation}
    model_dir: null
  TextRecognition:
    module_name: text_recognition
    model_name: {text_recognition}
    model_dir: null
    score_thresh: {text_rec_score_thresh}
"""


def default_text() -> str:
    """The default pipeline's configuration, as an `OCR.yaml` to edit."""
    models = {role.value: name for role, name in DEFAULT_NETWORKS.items()}
    return _DEFAULT.format(**models, **PipelineSettings().options)
