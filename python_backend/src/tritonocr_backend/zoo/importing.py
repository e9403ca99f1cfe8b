"""Import a user's model: a PaddleX directory, or an ONNX file with its dictionary."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from tritonocr_backend.core.contracts import Role
from tritonocr_backend.zoo import cache, conversion, dictionary, inference_config, layout, probe, registry
from tritonocr_backend.zoo.errors import ModelFormatError
from tritonocr_backend.zoo.inference_config import InferenceConfig
from tritonocr_backend.zoo.names import check_model_name
from tritonocr_backend.zoo.registry import DetectionSettings, Model

_METADATA_KEY = "character"


def import_model(
    source: Path,
    name: str,
    *,
    role: Role | None = None,
    dictionary_file: Path | None = None,
    convert: bool = False,
) -> Model:
    """Copy a user's model to the cache, and register it under a name.

    The network is loaded and run once to check that its outputs fit its role. A second import under the same
    name replaces the first.

    Args:
        source: a directory in PaddleX's layout, or an `.onnx` file.
        name: the name under which the model is served.
        role: role of an `.onnx` file; not needed for recognition models, which have a dictionary.
        dictionary_file: characters of an `.onnx` recognition model, one per line; not needed if the
            metadata of the file contains the dictionary.
        convert: convert Paddle files to ONNX; the import fails if the outputs differ.

    Raises:
        ModelFormatError: the name is taken or invalid, or the model does not fit its role.
    """
    _check_name(name)
    with cache.locked(name), cache.staging(name) as staging:
        directory = staging / "model"
        if source.is_file():
            _make_directory(source, directory, name, role, dictionary_file)
        else:
            _copy(source, directory)
        found, config = layout.file_format(directory), inference_config.load(directory)
        probe.check(directory, found, config)
        if convert and found == "paddle":
            conversion.convert(directory, staging / "onnx", config)
        model = _record(name, config, source)
        directories: dict[layout.FileFormat, Path] = {"onnx": staging / "onnx", found: directory}
        _publish(model, directories)
    return model


def _publish(model: Model, directories: Mapping[layout.FileFormat, Path]) -> None:
    """Replace a model in the cache by the directories that exist, one per format."""
    shutil.rmtree(cache.record_path(model.name).parent, ignore_errors=True)
    for file_format, directory in directories.items():
        if directory.exists():
            cache.publish(directory, cache.model_dir(model.name, file_format))
    cache.record_path(model.name).write_text(model.model_dump_json(indent=2))


def _check_name(name: str) -> None:
    check_model_name(name)
    if name in {model.name for model in registry.official()}:
        raise ModelFormatError(f"name: {name!r} is the name of an official model; choose another one")


def _copy(source: Path, directory: Path) -> None:
    layout.file_format(source)
    inference_config.load(source)  # before the copy, so that an error names the user's file
    directory.mkdir()
    for name in layout.FILES:
        if (source / name).is_file():
            shutil.copy(source / name, directory / name)


def _make_directory(
    network: Path, directory: Path, name: str, role: Role | None, dictionary_file: Path | None
) -> None:
    """Make a directory in PaddleX's layout from an ONNX file."""
    directory.mkdir()
    shutil.copy(network, directory / layout.ONNX)
    characters = _characters(directory / layout.ONNX, dictionary_file)
    role = role or (Role.TEXT_RECOGNITION if characters else None)
    if role is None:
        raise ModelFormatError(
            f"the role of {network} is not known: give --role, or --dictionary for a recognition model"
        )
    if role is Role.TEXT_RECOGNITION and not characters:
        raise ModelFormatError(
            f"{network} contains no dictionary: give the file of its characters with --dictionary"
        )
    inference_config.save(inference_config.compose(role, name, characters=characters), directory)


def _characters(network: Path, dictionary_file: Path | None) -> tuple[str, ...]:
    if dictionary_file:
        try:
            return dictionary.parse(dictionary_file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise ModelFormatError(f"{dictionary_file} cannot be read as UTF-8 text: {error}") from None
    return dictionary.from_onnx_metadata(network, _METADATA_KEY)


def _record(name: str, config: InferenceConfig, source: Path) -> Model:
    """Make the registry record, with languages and settings of the official model that was fine-tuned."""
    base = config.architecture
    return Model(
        name=name,
        role=config.role,
        languages=base.languages if base else (),
        generation=base.generation if base else 0,
        characters=len(config.characters) or None,
        postprocess=base.postprocess if base else DetectionSettings(),
        licence="as its author says",
        attribution="imported",
        imported_from=str(source.resolve()),
    )
