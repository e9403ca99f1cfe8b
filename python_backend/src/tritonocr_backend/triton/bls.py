"""The ModelCaller of the `ocr` model: Triton's business logic scripting."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Executor
from typing import Any

import triton_python_backend_utils as pb_utils
from numpy.typing import NDArray

from tritonocr_backend.arrays import Tensors
from tritonocr_backend.triton.errors import from_response_error
from tritonocr_backend.triton.tensors import from_response, to_triton


class BlsCaller:
    """Calls other models of the same server.

    Args:
        threads: where calls wait; as many calls are in flight as it has threads.
    """

    def __init__(self, threads: Executor) -> None:
        self._threads = threads

    async def __call__(self, model: str, inputs: Tensors, outputs: Sequence[str]) -> dict[str, NDArray[Any]]:
        """See pipeline.ModelCaller."""
        request = pb_utils.InferenceRequest(
            model_name=model, requested_output_names=list(outputs), inputs=to_triton(inputs)
        )
        answer = await asyncio.get_running_loop().run_in_executor(self._threads, request.exec)
        if answer.has_error():
            raise from_response_error(model, answer.error())
        return dict(from_response(answer))
