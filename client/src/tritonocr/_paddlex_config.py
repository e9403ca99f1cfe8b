"""PaddleX's `OCR.yaml` on the client: the options that it gives to each request."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from tritonocr_common.nesting import expanded_size
from tritonocr_common.paddlex_keys import KEYS_WITHOUT_EFFECT
from tritonocr_common.presets import PresetError, preset_file
from tritonocr_common.quoting import quoted

from ._exceptions import InvalidInputError, missing_extra
from ._options import OPTIONS, OCROptions, checked_options

PIPELINE_NAME = "OCR"

_KEYS = {name: tuple(option.yaml_key.split(".")) for name, option in OPTIONS.items() if option.yaml_key}
"""The location of each option in PaddleX's configuration."""

# Keys that describe a section, are checked elsewhere, or have no effect on a server.
_OTHER_KEYS = {
    *("pipeline_name", "text_type", "use_doc_preprocessor", "module_name", "model_name", "model_dir"),
    *KEYS_WITHOUT_EFFECT,
}
# Far more than any configuration has; a few nested aliases can expand to billions of values.
_MOST_VALUES = 10_000


def read_config(path: Path) -> dict[str, Any]:
    """Read a pipeline's YAML file.

    Raises:
        InvalidInputError: it cannot be read, is not YAML, is no mapping, or has too many values.
        MissingExtraError: the extra [cli] with the YAML reader is not installed.
    """
    try:
        from ruamel.yaml import YAML
        from ruamel.yaml.error import MarkedYAMLError, YAMLError
    except ImportError as error:
        raise missing_extra("cli", "Reading a pipeline's configuration", error) from error

    reader = YAML(typ="safe", pure=True)
    reader.version = (1, 1)  # as PaddleX reads it: yes and no are booleans
    try:
        content = reader.load(path.read_text(encoding="utf-8"))
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise InvalidInputError(f"{path}:{line}: not valid YAML: {error.problem}") from error
    except (OSError, ValueError, YAMLError, RecursionError) as error:
        reason = getattr(error, "strerror", error)
        raise InvalidInputError(
            f"Cannot read the pipeline's configuration {str(path)!r}: {reason}"
        ) from error
    if not isinstance(content, dict):
        raise InvalidInputError(f"The pipeline's configuration {str(path)!r} is not a mapping of settings.")
    if expanded_size(content) > _MOST_VALUES:
        raise InvalidInputError(
            f"The pipeline's configuration {str(path)!r} has more than {_MOST_VALUES} values "
            "with its aliases."
        )
    return content


def pipeline_config(pipeline: str | Path, config: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the configuration for the first two arguments of `create_pipeline`; None for the default.

    Args:
        pipeline: `OCR`, or the path of a YAML file.
        config: takes precedence over the file; its pipeline must be OCR too.

    Raises:
        InvalidInputError: another pipeline than OCR, or a file that cannot be read.
    """
    is_file = Path(pipeline).suffix.lower() in (".yaml", ".yml")
    content = dict(config) if config is not None else read_config(Path(pipeline)) if is_file else None
    name = content.get("pipeline_name") if content is not None else None
    for given in (name, None if is_file else str(pipeline)):
        if given not in (None, PIPELINE_NAME):
            raise InvalidInputError(
                f"The pipeline is {quoted(given)}; expected {PIPELINE_NAME!r} or the path of a YAML file."
            )
    return content


def preset_path(preset: str, pipeline: str | Path, config: Mapping[str, Any] | None) -> Path:
    """Return the path of a preset's configuration, for the arguments of `create_pipeline`.

    Raises:
        InvalidInputError: no preset has this name, or a configuration chooses the models too.
    """
    if config is not None or str(pipeline) != PIPELINE_NAME:
        given = "a config" if config is not None else f"the pipeline {str(pipeline)!r}"
        raise InvalidInputError(f"The preset {quoted(preset)} and {given} both choose the models; use one.")
    try:
        return preset_file(preset)
    except PresetError as error:
        raise InvalidInputError(f"preset: {error}.") from None


def options_of(config: Mapping[str, Any]) -> OCROptions:
    """Return the options in a configuration.

    Raises:
        InvalidInputError: a value of the wrong type, or a section that is not a mapping.
    """
    found = {name: _value(config, keys) for name, keys in _KEYS.items()}
    if config.get("use_doc_preprocessor") is False:
        found |= {"use_doc_orientation_classify": False, "use_doc_unwarping": False}
    return cast(OCROptions, checked_options(found))


def model_dirs(config: Any) -> list[Any]:
    """Return the directories of weights in a configuration, from all its sections."""
    if not isinstance(config, Mapping):
        return []
    below = [directory for section in config.values() for directory in model_dirs(section)]
    return [config["model_dir"], *below] if config.get("model_dir") is not None else below


def ignored_keys(config: Any, location: tuple[str, ...] = ()) -> list[str]:
    """Return the keys without effect on a request, such as misspelt ones, with dots between sections."""
    if isinstance(config, Mapping):
        return [key for name in config for key in ignored_keys(config[name], (*location, str(name)))]
    is_known = config is None or location in _KEYS.values() or location[-1] in _OTHER_KEYS
    return [] if is_known else [".".join(location)]


def _value(config: Any, keys: tuple[str, ...]) -> Any:
    for key in keys:
        if config is None:
            return None
        if not isinstance(config, Mapping):
            raise InvalidInputError(f"{'.'.join(keys)} of the pipeline's configuration is not in a mapping.")
        config = config.get(key)
    return config
