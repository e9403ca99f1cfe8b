"""The ModelCaller of the `ocr` model: Triton's business logic scripting."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import Executor
from contextvars import ContextVar
from threading import Lock
from typing import Any

import triton_python_backend_utils as pb_utils
from numpy.typing import NDArray

from tritonocr_backend.core.arrays import Tensors
from tritonocr_backend.core.repository_view import RepositoryView
from tritonocr_backend.triton.errors import NOT_LOADED, from_response_error
from tritonocr_backend.triton.tensors import from_response, to_triton

ORIGIN: ContextVar[pb_utils.InferenceRequest] = ContextVar("ORIGIN")
"""The request that the running task works for: calls carry its id, and become part of its trace."""

_log = logging.getLogger(__name__)


class BlsCaller:
    """Calls other models of the same server.

    A network that the repository holds but the server has not loaded is loaded first, where the server lets
    models be loaded at all.

    Args:
        threads: where calls wait; as many calls are in flight as it has threads.
        repository: which networks may be loaded.
    """

    def __init__(self, threads: Executor, repository: RepositoryView) -> None:
        self._threads = threads
        self._repository = repository
        self._loading = Lock()

    async def __call__(self, model: str, inputs: Tensors, outputs: Sequence[str]) -> dict[str, NDArray[Any]]:
        """See pipeline.ModelCaller."""
        origin = ORIGIN.get()
        request = pb_utils.InferenceRequest(
            model_name=model,
            requested_output_names=list(outputs),
            inputs=to_triton(inputs),
            request_id=origin.request_id(),
            trace=origin.trace(),
            # A backend that runs on a GPU would leave its outputs there, out of NumPy's reach.
            preferred_memory=pb_utils.PreferredMemory(pb_utils.TRITONSERVER_MEMORY_CPU, 0),
        )
        answer = await asyncio.get_running_loop().run_in_executor(
            self._threads, self._execute, model, request
        )
        if answer.has_error():
            raise from_response_error(model, answer.error())
        return dict(from_response(answer))

    def _execute(self, model: str, request: pb_utils.InferenceRequest) -> pb_utils.InferenceResponse:
        answer = request.exec()
        if not answer.has_error() or NOT_LOADED not in answer.error().message():
            return answer
        return request.exec() if self._load(model) else answer

    def _load(self, model: str) -> bool:
        """Whether the model is loaded now. Other instances may load it, too; Triton takes that well."""
        with self._loading:
            if pb_utils.is_model_ready(model):
                return True
            if model not in self._repository.networks():  # removed, or on its way
                return False
            try:
                pb_utils.load_model(model_name=model)
            except Exception as error:  # pb_utils raises its own types
                _log.warning("%s could not be loaded: %s", model, error)
                return False
            return True
