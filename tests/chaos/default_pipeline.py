"""A repository of the default pipeline, and the type of the fixture `serve`."""

from collections.abc import Callable
from pathlib import Path

from tritonocr_backend.repository import pipeline_config
from tritonocr_backend.repository.prepare import prepare_repository
from tritonocr_backend.repository.serving_settings import ServingSettings
from tritonocr_backend.server.embedded import EmbeddedServer

Serve = Callable[..., EmbeddedServer]


def written(directory: Path, **settings: object) -> Path:
    """A repository of the default pipeline."""
    serving = ServingSettings(**settings)  # type: ignore[arg-type]
    return prepare_repository(directory / "repository", pipeline_config.default(), serving=serving)
