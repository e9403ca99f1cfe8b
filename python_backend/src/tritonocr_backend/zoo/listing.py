"""What `tritonocr models list` says of each model."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from tritonocr_backend.zoo import cache, registry
from tritonocr_backend.zoo.layout import FileFormat
from tritonocr_backend.zoo.registry import Model


@dataclass(frozen=True)
class Listed:
    """A model, where its files come from, whether they are here, and whether a server serves it.

    Attributes:
        model: The registry's facts.
        sources: In the order in which they are tried.
        fetched: Formats that the cache holds.
        served: None where no server was asked.
    """

    model: Model
    sources: tuple[str, ...]
    fetched: tuple[FileFormat, ...]
    served: bool | None

    def as_json(self) -> dict[str, Any]:
        """All of it as JSON values; the tutorial's figures included."""
        facts = self.model.model_dump(
            mode="json", exclude={"wheels", "archive", "input_shape", "imported_from"}
        )
        return {**facts, "sources": self.sources, "fetched": self.fetched, "served": self.served}


def listing(served_names: Collection[str] | None) -> list[Listed]:
    """Every known model; `served_names` are those of a running server, None where none was asked."""
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
