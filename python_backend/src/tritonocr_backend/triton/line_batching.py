"""The model `line_batching`: joins the lines of all pages into batches for networks in Triton's own backend.

Triton's batcher closes a batch at the first image of another width, so that it hardly joins lines of
different pages. This model accepts lines of all widths in one batch, pads them to few widths, and calls the
network with full batches.
"""

from __future__ import annotations

from collections import defaultdict
from functools import partial

import triton_python_backend_utils as pb_utils

from tritonocr_backend.core import logs
from tritonocr_backend.core.arrays import Image
from tritonocr_backend.core.contracts import IMAGE, IMAGE_SIZES, LINE_ROLES, MODEL_NAME, NETWORK_OUTPUTS, Role
from tritonocr_backend.core.errors import InvalidInputError
from tritonocr_backend.core.repository_view import RepositoryView
from tritonocr_backend.engines.batching import Batcher, Outputs
from tritonocr_backend.engines.fixed_shapes import FixedBatches, largest_batch, widened, without_added_columns
from tritonocr_backend.triton.errors import error_response, from_call_exception, from_response_error
from tritonocr_backend.triton.metrics import InstanceMetrics
from tritonocr_backend.triton.network import check_line_image
from tritonocr_backend.triton.tensors import decode_strings, from_response, read_inputs, response, to_triton
from tritonocr_common.quoting import quoted

NetworkKey = tuple[str, Role]

CALLS_IN_FLIGHT = 4
"""Batches that are sent to a network at the same time, so that its instances copy while others compute."""


class LineBatching:
    """Runs the requests that Triton's dynamic batcher put together, network by network."""

    def initialize(self, args: dict[str, str]) -> None:
        """See Triton's Python backend."""
        logs.configure()
        self._repository = RepositoryView.beside(args["model_repository"])
        self._metrics = InstanceMetrics(args)
        self._batchers: dict[str, Batcher] = {}

    def execute(self, requests: list[pb_utils.InferenceRequest]) -> list[pb_utils.InferenceResponse]:
        """See Triton's Python backend."""
        responses: list[pb_utils.InferenceResponse] = [None] * len(requests)
        waiting: defaultdict[NetworkKey, list[int]] = defaultdict(list)
        images: dict[int, Image] = {}
        for number, request in enumerate(requests):
            try:
                network, images[number] = self._parse(request)
                waiting[network].append(number)
            except Exception as error:  # becomes this request's answer
                responses[number] = error_response(error, request.request_id())
        for network, numbers in waiting.items():
            outcomes = self._run(network, [images[number] for number in numbers])
            for number, outcome in zip(numbers, outcomes, strict=True):
                responses[number] = _response(network, outcome, requests[number])
        self._metrics.executed()
        return responses

    def finalize(self) -> None:
        """See Triton's Python backend."""
        del self._metrics

    def _parse(self, request: pb_utils.InferenceRequest) -> tuple[NetworkKey, Image]:
        inputs = read_inputs(request)
        names = set(decode_strings(inputs[MODEL_NAME], MODEL_NAME).ravel().tolist())
        name = names.pop()
        network = self._repository.networks().get(name)
        if names or network is None or network.role not in LINE_ROLES:
            raise InvalidInputError(f"{MODEL_NAME}: got {quoted(name)}, expected one network for lines")
        image: Image = inputs[IMAGE]
        _check_size(image, *IMAGE_SIZES[network.role])
        return (name, network.role), image

    def _run(self, network: NetworkKey, images: list[Image]) -> list[Outputs | Exception]:
        name, role = network
        if name not in self._batchers:
            largest = largest_batch(role, tensorrt=bool(self._repository.networks()[name].tensorrt_options))
            self._batchers[name] = Batcher(FixedBatches(partial(_call, name, role), CALLS_IN_FLIGHT, largest))
        wide = [widened(image) for image in images]
        outcomes = self._batchers[name].infer(wide)
        widths = ((image.shape[2], padded.shape[2]) for image, padded in zip(images, wide, strict=True))
        return [
            outcome if isinstance(outcome, Exception) else without_added_columns(outcome, *of_image)
            for outcome, of_image in zip(outcomes, widths, strict=True)
        ]


def _check_size(image: Image, height: int | None, width: int | None) -> None:
    got_height, got_width = image.shape[1:3]
    if got_height != height or width not in (None, got_width):
        raise InvalidInputError(
            f"{IMAGE}: got {got_width}x{got_height} px, expected {width or 'any width '}x{height} px"
        )
    if width is None:
        check_line_image(image)


def _response(
    network: NetworkKey, outcome: Outputs | Exception, request: pb_utils.InferenceRequest
) -> pb_utils.InferenceResponse:
    if isinstance(outcome, Exception):
        return error_response(outcome, request.request_id())
    tensors = dict(zip(NETWORK_OUTPUTS[network[1]], outcome, strict=True))
    return response(tensors, request.requested_output_names())


def _call(name: str, role: Role, image: Image) -> Outputs:
    """Run one batch in the network's own model."""
    outputs = NETWORK_OUTPUTS[role]
    request = pb_utils.InferenceRequest(
        model_name=name,
        requested_output_names=list(outputs),
        inputs=to_triton({IMAGE: image}),
        # Without this the backend leaves its outputs on the GPU, where NumPy cannot read them.
        preferred_memory=pb_utils.PreferredMemory(pb_utils.TRITONSERVER_MEMORY_CPU, 0),
    )
    try:
        answer = request.exec()
    except Exception as error:  # pb_utils raises its own types
        raise from_call_exception(error) from error
    if answer.has_error():
        raise from_response_error(name, answer.error())
    arrays = from_response(answer)
    return [arrays[output] for output in outputs]
