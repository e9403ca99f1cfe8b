"""A PP-OCR network as a Triton model."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils
from numpy.typing import NDArray

from tritonocr_backend import devices, logs
from tritonocr_backend.arrays import Image
from tritonocr_backend.contracts import IMAGE, NETWORK_OUTPUTS, STRIDE_PX, Role
from tritonocr_backend.engines import EngineOptions, Network, create_engine
from tritonocr_backend.errors import InvalidInputError
from tritonocr_backend.network_card import read_card
from tritonocr_backend.triton.errors import error_response
from tritonocr_backend.triton.metrics import InstanceMetrics
from tritonocr_backend.triton.tensors import read_inputs, response


class NetworkModel:
    """Runs the requests that Triton's dynamic batcher put together as one batch."""

    def initialize(self, args: dict[str, str]) -> None:
        """See Triton's Python backend."""
        logs.configure()
        directory = Path(args["model_repository"], args["model_version"])
        card = read_card(directory)
        cache = os.environ.get("TRITONOCR_ENGINE_CACHE", card.engine_cache)
        options = EngineOptions(
            device=str(devices.of_instance(card.device, args)),
            precision=card.precision,
            threads=card.threads,
            cache_dir=Path(cache) if cache else None,
            tensorrt=card.tensorrt_options,
        )
        self._outputs = NETWORK_OUTPUTS[card.role]
        self._check = _CHECKS.get(card.role, _check_nothing)
        network = Network(directory, card.role, self._outputs, card.normalisation, options, card.own_size)
        self._engine = create_engine(card.engine, network)
        self._metrics = InstanceMetrics(args)

    def execute(self, requests: list[pb_utils.InferenceRequest]) -> list[pb_utils.InferenceResponse]:
        """See Triton's Python backend."""
        responses: list[pb_utils.InferenceResponse] = []
        images: dict[int, Image] = {}
        for number, request in enumerate(requests):
            responses.append(None)
            try:
                image = read_inputs(request)[IMAGE]
                self._check(image)
                images[number] = image
            except Exception as error:  # becomes this request's answer
                responses[number] = error_response(error, request.request_id())
        for number, outcome in self._infer(images).items():
            if isinstance(outcome, Exception):
                responses[number] = error_response(outcome, requests[number].request_id())
            else:
                responses[number] = response(outcome, requests[number].requested_output_names())
        self._metrics.executed()
        return responses

    def _infer(self, images: dict[int, Image]) -> dict[int, dict[str, NDArray[Any]] | Exception]:
        """Run all images as one batch; where that fails, each alone, so that only the culprit fails."""
        if not images:
            return {}
        try:
            batch = np.concatenate(list(images.values())) if len(images) > 1 else next(iter(images.values()))
            outputs = self._engine.infer(batch)
        except Exception as error:  # becomes the requests' answer
            if len(images) == 1:
                return dict.fromkeys(images, error)
            return {number: self._infer({number: image})[number] for number, image in images.items()}
        ends = np.cumsum([len(image) for image in images.values()])[:-1]
        parts = zip(*(np.split(output, ends) for output in outputs), strict=True)
        return {n: dict(zip(self._outputs, part, strict=True)) for n, part in zip(images, parts, strict=True)}


def _check_nothing(image: Image) -> None:
    """Triton has checked a fixed size already."""


def _check_multiple_of_stride(image: Image) -> None:
    height, width = image.shape[1:3]
    if height % STRIDE_PX or width % STRIDE_PX or not height or not width:
        raise InvalidInputError(
            f"image: got {width}x{height} px, expected both sides to be multiples of {STRIDE_PX}"
        )


def _check_not_empty(image: Image) -> None:
    if 0 in image.shape:
        raise InvalidInputError(f"image: got shape {list(image.shape)}, expected no side of 0")


_CHECKS: dict[Role, Callable[[Image], None]] = {
    Role.TEXT_DETECTION: _check_multiple_of_stride,
    Role.DOC_UNWARPING: _check_not_empty,
    Role.TEXT_RECOGNITION: _check_not_empty,
}
