"""The ModelCaller of the `ocr` model, by Triton's business logic scripting (BLS)."""

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
from tritonocr_backend.triton.cancellation import CancellationCheck
from tritonocr_backend.triton.errors import from_call_exception, from_response_error
from tritonocr_backend.triton.native import Call, adapted
from tritonocr_backend.triton.tensors import from_response, to_triton

ORIGIN: ContextVar[pb_utils.InferenceRequest] = ContextVar("ORIGIN")
"""The request of the current task; calls to other models have its id and belong to its trace."""

CANCELLATION: ContextVar[CancellationCheck] = ContextVar("CANCELLATION")
"""The check whether the request of the current task is cancelled."""

_log = logging.getLogger(__name__)


class BlsCaller:
    """Call other models of the same server.

    A network that is in the repository but not loaded is loaded first, if the server allows it.

    Args:
        threads: threads that wait for the calls; one call per thread is in flight.
        repository: the networks that may be loaded.
        exact: call each network as PaddleX does, without the additional padding of `native.adapted`.
    """

    def __init__(self, threads: Executor, repository: RepositoryView, *, exact: bool = False) -> None:
        self._exact = exact
        self._threads = threads
        self._repository = repository
        self._loading = Lock()

    async def __call__(self, model: str, inputs: Tensors, outputs: Sequence[str]) -> dict[str, NDArray[Any]]:
        """See pipeline.ModelCaller."""
        origin = ORIGIN.get()
        CANCELLATION.get()()
        call = Call(model, inputs, outputs)
        if not self._exact:
            call = adapted(call, self._repository.networks().get(model))
        request = pb_utils.InferenceRequest(
            model_name=call.model,
            requested_output_names=list(call.outputs),
            inputs=to_triton(call.inputs),
            request_id=origin.request_id(),
            trace=origin.trace(),
            # Without this a backend on a GPU leaves its outputs there, where NumPy cannot read them.
            preferred_memory=pb_utils.PreferredMemory(pb_utils.TRITONSERVER_MEMORY_CPU, 0),
        )
        answer = await asyncio.get_running_loop().run_in_executor(
            self._threads, self._execute, model, request
        )
        if answer.has_error():
            raise from_response_error(model, answer.error())
        return call.finish(dict(from_response(answer)))

    def _execute(self, model: str, request: pb_utils.InferenceRequest) -> pb_utils.InferenceResponse:
        try:
            # Checked before the call: after a failed call another instance may have loaded the model already.
            was_ready = pb_utils.is_model_ready(model)
            response = request.exec()
            if not response.has_error() or (was_ready and pb_utils.is_model_ready(model)):
                return response
            return request.exec() if self._load(model) else response
        except Exception as error:  # pb_utils raises its own types
            raise from_call_exception(error) from error

    def _load(self, model: str) -> bool:
        """Load the model, and return whether it is loaded; several instances may do so at once."""
        with self._loading:
            if pb_utils.is_model_ready(model):
                return True
            if model not in self._repository.networks():  # removed, or not complete yet
                return False
            try:
                pb_utils.load_model(model_name=model)
            except Exception as error:  # pb_utils raises its own types
                _log.warning("%s could not be loaded: %s", model, error)
                return False
            return True
