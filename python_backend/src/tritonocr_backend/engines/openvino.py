"""The OpenVINO engine, the fastest one on Intel and AMD CPUs."""

from __future__ import annotations

from queue import SimpleQueue
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray
from openvino import opset13 as opset

from tritonocr_backend.core import devices
from tritonocr_backend.core.arrays import Image
from tritonocr_backend.core.contracts import GRID_OUTPUTS, IMAGE_SIZES, STRIDE_PX, Role
from tritonocr_backend.engines.base import ONNX_FILE, EngineError, Network, check_outputs, streams_of
from tritonocr_backend.engines.batching import joined, split_batch

PRECISION = "INFERENCE_PRECISION_HINT"

# OpenVINO compiles kernels for each new shape (about 80 ms and 2 MB for recognition), and batches above eight
# are no faster. Batches are therefore split into these few sizes.
BATCH_SIZES = {Role.TEXT_RECOGNITION: (8, 4, 1), Role.TEXTLINE_ORIENTATION: (8, 1)}


RELEASE_ABOVE_BYTES = 1 << 24
"""Images above this size leave up to 1 GB of intermediate results in the network, which is then released."""

F32_CONVOLUTIONS = 3
"""Convolutions at the end of an unwarping network that run in float32. With all layers in bf16 (8 bits of
mantissa), the grid of a 3000 px page is off by 1.3 px on average; with these in float32, by 0.5 px."""

_Requests = list[openvino.InferRequest]


class OpenVinoEngine:
    """Run the contract graph with OpenVINO."""

    def __init__(self, network: Network) -> None:
        core = openvino.Core()
        try:
            device = devices.support(devices.parse(network.options.device), "openvino").target
            model = core.read_model(network.directory / ONNX_FILE)
            check_outputs(network, [name for output in model.outputs for name in output.get_names()])
            if network.role is Role.TEXT_RECOGNITION:
                model = _without_tail(model)
            compiled = [
                core.compile_model(part, device, properties) for part, properties in _parts(model, network)
            ]
        except RuntimeError as error:
            raise EngineError(f"OpenVINO cannot load {network.directory / ONNX_FILE}: {error}") from error
        self.streams = streams_of(network)
        self._compiled = compiled
        # With one stream no other request is running meanwhile.
        self._can_release = self.streams == 1 and network.options.device == "cpu"
        self.batch_sizes = BATCH_SIZES.get(network.role, (1,))
        self._requests: SimpleQueue[_Requests] = SimpleQueue()
        for _ in range(self.streams):
            self._requests.put([part.create_infer_request() for part in compiled])
        self._recognises = network.role is Role.TEXT_RECOGNITION
        self._outputs = network.outputs
        if self.streams > 1:
            # OpenVINO's first call can deadlock with Python's GIL, so only one thread makes it.
            height, width = IMAGE_SIZES[network.role]
            self.infer(np.zeros((1, height or STRIDE_PX, width or STRIDE_PX, 3), dtype=np.uint8))

    def infer(self, image: Image) -> list[NDArray[Any]]:
        """See Engine.infer."""
        requests = self._requests.get()
        try:
            return joined([self._infer(requests, part) for part in split_batch(image, self.batch_sizes)])
        finally:
            if image.nbytes > RELEASE_ABOVE_BYTES and self._can_release:
                for part in self._compiled:
                    part.release_memory()
            self._requests.put(requests)

    def _infer(self, requests: _Requests, image: Image) -> list[NDArray[Any]]:
        values: NDArray[Any] = image
        for request in requests:
            results = request.infer({0: values}, share_inputs=True, share_outputs=True)
            values = results[0]
        if self._recognises:
            return best_classes(results[0])
        return [np.array(results[name]) for name in self._outputs]


def best_classes(probabilities: NDArray[np.float32]) -> list[NDArray[Any]]:
    """Return the best class of each step of float32 [B, T, classes] and its probability.

    Returns:
        int32 [B, T] and float32 [B, T].
    """
    indices = probabilities.argmax(axis=2)
    confidences = np.take_along_axis(probabilities, indices[..., np.newaxis], axis=2)[..., 0]
    return [indices.astype(np.int32), confidences]


def _without_tail(model: openvino.Model) -> openvino.Model:
    """Return a recognition network that ends in its probabilities. OpenVINO's TopK takes 14 % of the time."""
    (best,) = (node for node in model.get_ops() if node.get_type_name() == "TopK")
    return openvino.Model([best.input_value(0)], model.get_parameters())


def _parts(model: openvino.Model, network: Network) -> list[tuple[openvino.Model, dict[str, Any]]]:
    """Return the models that run one after the other as a network, with the properties of each."""
    properties = _properties(network)
    if network.role is not Role.DOC_UNWARPING:
        return [(model, properties)]
    in_f32 = {**properties, PRECISION: "f32"}
    if network.outputs != GRID_OUTPUTS or properties.get(PRECISION) == "f32":
        return [(model, in_f32)]
    try:
        head, tail = _split_before_last(F32_CONVOLUTIONS, model)
    except (RuntimeError, IndexError):  # a network of another structure
        return [(model, in_f32)]
    return [(head, properties), (tail, in_f32)]


def _split_before_last(count: int, model: openvino.Model) -> tuple[openvino.Model, openvino.Model]:
    """Split a model before its last convolutions. The first part returns what the second part takes.

    Raises:
        RuntimeError: layers of the second part need more than one tensor of the first part.
        IndexError: the model has fewer convolutions.
    """
    head, tail = model.clone(), model.clone()
    border, cut = (_convolutions(part)[-count].input_value(0) for part in (head, tail))
    parameter = opset.parameter(cut.get_partial_shape(), cut.get_element_type())
    for reader in cut.get_target_inputs():
        reader.replace_source_output(parameter.output(0))
    results = [result.input_value(0) for result in tail.get_results()]
    return openvino.Model([border], head.get_parameters()), openvino.Model(results, [parameter])


def _convolutions(model: openvino.Model) -> list[openvino.Node]:
    return [node for node in model.get_ordered_ops() if node.get_type_name() == "Convolution"]


def _properties(network: Network) -> dict[str, Any]:
    options = network.options
    properties: dict[str, Any] = {}
    if options.device == "cpu":
        # Each instance is a process. Pinning would put all of them on the same first cores.
        properties |= {"NUM_STREAMS": streams_of(network), "ENABLE_CPU_PINNING": False}
    if options.threads:
        properties["INFERENCE_NUM_THREADS"] = options.threads
    if options.precision != "auto":
        properties[PRECISION] = options.precision
    if options.cache_dir is not None:
        properties["CACHE_DIR"] = str(options.cache_dir)
    return properties
