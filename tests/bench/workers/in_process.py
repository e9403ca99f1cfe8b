"""TritonOCR without Triton: the pipeline over a model repository, stages and networks in one process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from protocol import Answer, File, Lines, configuration, one_by_one, serve
from tritonocr_backend.core.arrays import Tensors
from tritonocr_backend.core.contracts import IMAGE, STAGE_OUTPUTS
from tritonocr_backend.core.network_metadata import read_network_metadata
from tritonocr_backend.core.repository_view import RepositoryView
from tritonocr_backend.core.settings import read_pipeline_settings
from tritonocr_backend.documents.pages import Page
from tritonocr_backend.engines import Engine, EngineOptions, Network, create_engine
from tritonocr_backend.pipeline.ocr_pipeline import OcrPipeline
from tritonocr_backend.pipeline.records import PageSettings
from tritonocr_backend.pipeline.stages import run_stage
from tritonocr_backend.triton.requests import parse_request


class InProcessCaller:
    """A ModelCaller over a model repository, without a server.

    Args:
        repository: the one that the server is measured with, so that weights and settings are the same.
        threads: of each network; None as the repository says.
    """

    def __init__(self, repository: Path, threads: int | None = None) -> None:
        self._directory = repository
        self._threads = threads
        self._view = RepositoryView(repository)
        self._engines: dict[str, Engine] = {}

    async def __call__(self, model: str, inputs: Tensors, outputs: Sequence[str]) -> dict[str, NDArray[Any]]:
        """See pipeline.ModelCaller."""
        if model in STAGE_OUTPUTS:
            return run_stage(model, inputs, self._view)
        results = self.engine(model).infer(inputs[IMAGE])
        return dict(zip(outputs, results, strict=True))

    def engine(self, name: str) -> Engine:
        """Return the engine of a network; load it at the first call."""
        if name not in self._engines:
            directory = self._directory / name / "1"
            metadata = read_network_metadata(directory)
            threads = metadata.threads if self._threads is None else self._threads
            options = EngineOptions(metadata.device, metadata.precision, threads)
            network = Network(directory, metadata.role, metadata.outputs, metadata.normalisation, options)
            self._engines[name] = create_engine(metadata.engine, network)
        return self._engines[name]


class Parser:
    """Files into requests, as the `ocr` model parses them.

    Args:
        repository: the model repository.
        options: values of page options.
    """

    def __init__(self, repository: Path, options: dict[str, Any]) -> None:
        self._view = RepositoryView(repository)
        self._settings = read_pipeline_settings(repository / "ocr" / "1")
        self._options = {name: _tensor(value) for name, value in options.items()}

    def pages(self, file: File) -> Iterator[tuple[Page, PageSettings]]:
        """The pages of one file, decoded, and how they are read."""
        is_file = isinstance(file.data, bytes)
        page = {"file": np.array([file.data], dtype=object)} if is_file else {"image": file.data}
        request = parse_request({**page, **self._options}, {"rec_texts"}, self._settings, self._view)
        settings = request.page_settings
        for index in request.page_indices:
            yield request.document.read_page(index, settings.reduction_of), settings
        request.document.close()


def _tensor(value: Any) -> NDArray[Any]:
    kinds: dict[type, Any] = {bool: np.bool_, int: np.int32, float: np.float32, str: object}
    return np.array([value], dtype=kinds[type(value)])


def start() -> Callable[[Sequence[File]], Answer]:
    """The function that reads pages."""
    asked = configuration()
    repository = Path(asked["repository"])
    parser, pipeline = Parser(repository, asked["options"]), OcrPipeline(InProcessCaller(repository))

    def read(file: File) -> Lines:
        lines: Lines = []
        for page, settings in parser.pages(file):
            result = asyncio.run(pipeline.read(page, settings))
            lines += [(result.boxes.quads[line.box_index].tolist(), line.text) for line in result.lines]
        return lines

    return one_by_one(read)


if __name__ == "__main__":
    serve(start)
