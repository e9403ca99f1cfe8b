"""Describe each model for `tritonocr models list`."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from tritonocr_backend.zoo import cache, registry
from tritonocr_backend.zoo.layout import FileFormat
from tritonocr_backend.zoo.registry import Model


@dataclass(frozen=True)
class Listed:
    """A known model and its state.

    Attributes:
        model: the registry record.
        sources: the sources of the files, in the order of use.
        fetched: the formats in the cache.
        served: whether a running server serves the model; None if no server was asked.
    """

    model: Model
    sources: tuple[str, ...]
    fetched: tuple[FileFormat, ...]
    served: bool | None

    def as_json(self) -> dict[str, Any]:
        """Return the record and the state as JSON values."""
        facts = self.model.model_dump(
            mode="json", exclude={"wheels", "archive", "input_shape", "imported_from"}
        )
        return {**facts, "sources": self.sources, "fetched": self.fetched, "served": self.served}


def listing(served_names: Collection[str] | None) -> list[Listed]:
    """Return all known models.

    Args:
        served_names: names of the models that a running server serves; None if no server was asked.
    """
    return [
        Listed(
            model=model,
            sources=_sources(model),
            fetched=cache.formats(model.name),
            served=None if served_names is None else model.name in served_names,
        )
        for model in registry.models()
    ]


def _sources(model: Model) -> tuple[str, ...]:
    wheels = [f"{source.wheel.distribution} {source.wheel.version}" for source in model.wheels]
    others = [source for source in (model.archive, model.imported_from) if source]
    return tuple(dict.fromkeys([*wheels, *others]))
