"""The pipeline without Triton: the same stages and networks called in one process."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from tritonocr_backend.arrays import Tensors
from tritonocr_backend.contracts import IMAGE, NETWORK_OUTPUTS, STAGE_OUTPUTS
from tritonocr_backend.engines import Engine, EngineOptions, Network, create_engine
from tritonocr_backend.local_stages import run_stage
from tritonocr_backend.network_card import read_card
from tritonocr_backend.repository_view import RepositoryView


class InProcessCaller:
    """A ModelCaller over a model repository, without a server.

    Args:
        repository: the one that the server is measured with, so that weights and settings are the same.
    """

    def __init__(self, repository: Path) -> None:
        self._directory = repository
        self._view = RepositoryView(repository)
        self._engines: dict[str, Engine] = {}

    async def __call__(self, model: str, inputs: Tensors, outputs: Sequence[str]) -> dict[str, NDArray[Any]]:
        """See pipeline.ModelCaller."""
        if model in STAGE_OUTPUTS:
            return run_stage(model, inputs, self._view)
        results = self._engine(model).infer(inputs[IMAGE])
        return dict(zip(outputs, results, strict=True))

    def _engine(self, name: str) -> Engine:
        if name not in self._engines:
            directory = self._directory / name / "1"
            card = read_card(directory)
            options = EngineOptions(card.device, card.precision, card.threads)
            network = Network(directory, card.role, NETWORK_OUTPUTS[card.role], card.normalisation, options)
            self._engines[name] = create_engine(card.engine, network)
        return self._engines[name]
