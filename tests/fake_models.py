"""A ModelCaller with scripted networks and the real stages."""

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonocr_backend.core import contracts
from tritonocr_backend.core.arrays import Tensors
from tritonocr_backend.core.contracts import Role
from tritonocr_backend.pipeline import stages

CHARACTERS = ["", *"0123456789", " "]

_X, _Y = np.meshgrid(np.linspace(-0.9, 0.9, 31), np.linspace(-0.9, 0.9, 45))
STRAIGHT_GRID = np.stack([_X, _Y]).astype(np.float32)
"""The sampling grid of a flat page, whose margins the unwarping network cuts: float32 [2, 45, 31]."""


class FakeModels:
    """Finds `quads` on any page; a line reads as the grey level of its upper left corner, confidence 0.5.

    Line orientation takes a line for upside down where its upper half is darker than its lower half.
    """

    def __init__(
        self,
        quads: Sequence[Any] = (),
        doc_class: int = 0,
        together: int = 1,
        grid: NDArray[np.float32] = STRAIGHT_GRID,
    ) -> None:
        self.calls: list[tuple[str, Tensors]] = []
        self._quads = np.array(quads, np.int32).reshape(-1, 4, 2)
        self._doc_class, self._together, self._grid = doc_class, together, grid
        self._in_flight, self._all_there = 0, asyncio.Event()

    async def __call__(self, model: str, inputs: Tensors, outputs: Sequence[str]) -> dict[str, NDArray[Any]]:
        self.calls.append((model, {name: tensor.copy() for name, tensor in inputs.items()}))
        if model == Role.TEXT_RECOGNITION:  # held until as many calls as expected are there
            self._in_flight += 1
            if self._in_flight == self._together:
                self._all_there.set()
            await asyncio.wait_for(self._all_there.wait(), timeout=5)
        return {name: tensor for name, tensor in self._answer(model, inputs).items() if name in outputs}

    def _answer(self, model: str, inputs: Tensors) -> dict[str, NDArray[Any]]:
        image = inputs.get("image", np.empty(0))
        if model == contracts.POSTPROCESS:
            scores = np.linspace(1, 0.7, len(self._quads), dtype=np.float32)
            return {"polys": self._quads, "scores": scores, "max_candidates_reached": np.array([False])}
        if model == contracts.CROP:
            return stages.text_crop_lines(inputs)
        if model == contracts.DECODE:
            return stages.text_recognition_decode(inputs, CHARACTERS)
        if model == Role.DOC_ORIENTATION:
            return {"probabilities": np.eye(4, dtype=np.float32)[[self._doc_class]]}
        if model == Role.DOC_UNWARPING:
            return {"unwarped": image[:, ::2], "grid": self._grid[np.newaxis]}
        if model == Role.TEXT_DETECTION:
            return {"probability": image[..., 0].astype(np.float32)}
        if model == Role.TEXTLINE_ORIENTATION:
            turned = image[:, :40].mean(axis=(1, 2, 3)) < image[:, 40:].mean(axis=(1, 2, 3))
            return {"probabilities": np.eye(2, dtype=np.float32)[turned.astype(int)]}
        if model != Role.TEXT_RECOGNITION:
            raise LookupError(model)
        digits = [[int(d) + 1 for d in f"{level:03}"] for level in image[:, 8, 8, 0]]
        spread = np.zeros((len(image), image.shape[2] // 8), np.int32)
        spread[:, :6:2] = digits
        return {"indices": spread, "confidences": np.full(spread.shape, 0.5, np.float32)}
