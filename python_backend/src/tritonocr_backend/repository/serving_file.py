"""Read and write `serving.yaml`, the settings for running the models.

`tritonocr tune` writes the file, and `tritonocr serve` reads it.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, NonNegativeInt, PositiveInt, ValidationError
from ruamel.yaml import YAML

from tritonocr_backend.core.contracts import Role
from tritonocr_backend.repository.serving_settings import Engine, Precision, ServingSettings
from tritonocr_backend.zoo import yaml_text
from tritonocr_backend.zoo.errors import ServingFileError
from tritonocr_backend.zoo.validation import describe
from tritonocr_backend.zoo.yaml_text import YamlProblem

RoleName = Literal[
    "doc_orientation", "doc_unwarping", "text_detection", "textline_orientation", "text_recognition"
]
StageName = Literal["ocr", "ocr_stream", "text_crop", "text_detection_postprocess", "text_recognition_decode"]


class _File(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")
    engine: Engine = "auto"
    precision: Precision = "auto"
    instances: dict[StageName | RoleName, PositiveInt] = {}
    threads: dict[RoleName, NonNegativeInt] = {}


def read(path: Path) -> ServingSettings:
    """Read the settings of a file; missing keys have their defaults.

    Raises:
        ServingFileError: the file cannot be read, is not YAML, or contains an unknown key or invalid value.
    """
    try:
        file = _File.model_validate(yaml_text.parse(path.read_text(encoding="utf-8")) or {})
    except (OSError, UnicodeDecodeError) as error:
        raise ServingFileError(f"{path} cannot be read: {getattr(error, 'strerror', error)}") from None
    except YamlProblem as problem:
        raise ServingFileError(f"{path}, line {problem.line}: {problem}") from None
    except ValidationError as error:
        raise ServingFileError(f"{path}: {describe(error)}") from None
    instances: dict[str, int] = dict(file.instances.items())
    threads = {Role(name): count for name, count in file.threads.items()}
    return ServingSettings(engine=file.engine, precision=file.precision, instances=instances, threads=threads)


def text(serving: ServingSettings, comment: str) -> str:
    """Return the text of a `serving.yaml` with a comment in its first line."""
    content = {
        "engine": serving.engine,
        "precision": serving.precision,
        "instances": dict(serving.instances),
        "threads": {role.value: count for role, count in serving.threads.items()},
    }
    stream = io.StringIO()
    YAML().dump(content, stream)
    return f"# {comment}\n{stream.getvalue()}"
