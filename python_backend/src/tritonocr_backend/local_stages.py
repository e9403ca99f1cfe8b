"""Stages called in the caller's own process instead of as models of the server."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from numpy.typing import NDArray

from tritonocr_backend import contracts, stages
from tritonocr_backend.arrays import Tensors
from tritonocr_backend.pipeline import ModelCaller
from tritonocr_backend.repository_view import RepositoryView
from tritonocr_backend.text_recognition import class_characters


class LocalStages:
    """A ModelCaller that runs some stages itself and hands on every other call.

    Args:
        names: the stages to run here.
        repository: where the decoder finds its dictionaries.
        others: runs every other model.
    """

    def __init__(self, names: Collection[str], repository: RepositoryView, others: ModelCaller) -> None:
        self._names = frozenset(names)
        self._repository = repository
        self._others = others

    async def __call__(self, model: str, inputs: Tensors, outputs: Sequence[str]) -> dict[str, NDArray[Any]]:
        """See pipeline.ModelCaller."""
        if model not in self._names:
            return await self._others(model, inputs, outputs)
        return run_stage(model, inputs, self._repository)


def run_stage(name: str, inputs: Tensors, repository: RepositoryView) -> dict[str, NDArray[Any]]:
    """Run one of the pipeline's own stages by its model name."""
    if name == contracts.POSTPROCESS:
        return stages.text_detection_postprocess(inputs)
    if name == contracts.CROP:
        return stages.text_crop_lines(inputs)
    name = str(inputs["model_name"][0])
    characters = class_characters(repository.characters(name))
    right_to_left = repository.is_right_to_left(name)
    return stages.text_recognition_decode(inputs, characters, right_to_left=right_to_left)
