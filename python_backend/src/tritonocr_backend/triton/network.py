"""A PP-OCR network as a Triton model."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import triton_python_backend_utils as pb_utils

from tritonocr_backend.core import devices, logs
from tritonocr_backend.core.arrays import Image
from tritonocr_backend.core.contracts import (
    IMAGE,
    MAX_MAP_PIXELS,
    MAX_WIDTH_PX,
    STRIDE_PX,
    WIDTH_STEP_PX,
    Role,
)
from tritonocr_backend.core.errors import InvalidInputError
from tritonocr_backend.core.network_metadata import read_network_metadata
from tritonocr_backend.engines import EngineOptions, Network, create_engine
from tritonocr_backend.engines.batching import Batcher
from tritonocr_backend.triton.errors import error_response
from tritonocr_backend.triton.heartbeat import ACCELERATOR_HANG_LIMIT_S, HANG_LIMIT_S, Heartbeat
from tritonocr_backend.triton.metrics import InstanceMetrics
from tritonocr_backend.triton.tensors import read_inputs, response
from tritonocr_common import environment


class NetworkModel:
    """Run the requests that Triton's dynamic batcher has merged as one batch."""

    def initialize(self, args: dict[str, str]) -> None:
        """See Triton's Python backend."""
        logs.configure()
        directory = Path(args["model_repository"], args["model_version"])
        metadata = read_network_metadata(directory)
        cache = os.environ.get(environment.ENGINE_CACHE, metadata.engine_cache)
        options = EngineOptions(
            device=str(devices.of_instance(metadata.device, args)),
            precision=metadata.precision,
            threads=metadata.threads,
            cache_dir=Path(cache) if cache else None,
            tensorrt=metadata.tensorrt_options,
        )
        self._outputs = metadata.outputs
        self._check = _CHECKS.get(metadata.role, _check_nothing)
        network = Network(
            directory, metadata.role, self._outputs, metadata.normalisation, options, metadata.own_size
        )
        self._batcher = Batcher(create_engine(metadata.engine, network))
        self._metrics = InstanceMetrics(args)
        on_cpu = options.device.startswith("cpu")
        self._heartbeat = Heartbeat(HANG_LIMIT_S if on_cpu else ACCELERATOR_HANG_LIMIT_S)

    def execute(self, requests: list[pb_utils.InferenceRequest]) -> list[pb_utils.InferenceResponse]:
        """See Triton's Python backend."""
        with self._heartbeat.working():
            responses = self._responses(requests)
        self._metrics.executed()
        return responses

    def finalize(self) -> None:
        """See Triton's Python backend."""
        del self._metrics

    def _responses(self, requests: list[pb_utils.InferenceRequest]) -> list[pb_utils.InferenceResponse]:
        responses: list[pb_utils.InferenceResponse] = []
        images: dict[int, Image] = {}
        for number, request in enumerate(requests):
            responses.append(None)
            try:
                image = read_inputs(request)[IMAGE]
                self._check(image)
                images[number] = image
            except Exception as error:  # becomes the response to this request
                responses[number] = error_response(error, request.request_id())
        for number, outcome in zip(images, self._batcher.infer(list(images.values())), strict=True):
            request = requests[number]
            if isinstance(outcome, Exception):
                responses[number] = error_response(outcome, request.request_id())
            else:
                tensors = dict(zip(self._outputs, outcome, strict=True))
                responses[number] = response(tensors, request.requested_output_names())
        return responses


def _check_nothing(image: Image) -> None:
    """Accept each image: Triton has already checked a fixed size."""


def _check_detection_image(image: Image) -> None:
    batch, height, width = image.shape[:3]
    if height % STRIDE_PX or width % STRIDE_PX or not height or not width:
        raise InvalidInputError(
            f"image: got {width}x{height} px, expected both sides to be multiples of {STRIDE_PX}"
        )
    if batch * height * width > MAX_MAP_PIXELS:
        raise InvalidInputError(
            f"image: got {batch} images of {width}x{height} px, expected at most {MAX_MAP_PIXELS} px in all"
        )


def check_line_image(image: Image) -> None:
    """Check the width of line images.

    Raises:
        InvalidInputError: the width is too small or too large.
    """
    width = image.shape[2]
    if not WIDTH_STEP_PX <= width <= MAX_WIDTH_PX:
        raise InvalidInputError(
            f"image: got a width of {width} px, expected {WIDTH_STEP_PX} to {MAX_WIDTH_PX} px"
        )


def _check_not_empty(image: Image) -> None:
    if 0 in image.shape:
        raise InvalidInputError(f"image: got shape {list(image.shape)}, expected no side of 0")


_CHECKS: dict[Role, Callable[[Image], None]] = {
    Role.TEXT_DETECTION: _check_detection_image,
    Role.DOC_UNWARPING: _check_not_empty,
    Role.TEXT_RECOGNITION: check_line_image,
}
