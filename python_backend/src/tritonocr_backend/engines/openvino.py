"""OpenVINO: the fastest engine on Intel and AMD CPUs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray

from tritonocr_backend.arrays import Image
from tritonocr_backend.contracts import Role
from tritonocr_backend.engines.base import ONNX_FILE, EngineError, EngineOptions, Network, check_outputs

# OpenVINO prepares itself anew for every shape (about 80 ms and 2 MB for recognition) and gains nothing from
# batches over eight. So few batch sizes are run, whatever Triton put together.
BATCH_SIZES = {Role.TEXT_RECOGNITION: (8, 4, 1), Role.TEXTLINE_ORIENTATION: (8, 1)}

_DEVICES = {"cpu": "CPU", "gpu": "GPU", "npu": "NPU"}


class OpenVinoEngine:
    """Runs the contract graph with OpenVINO."""

    def __init__(self, network: Network) -> None:
        core = openvino.Core()
        device = _DEVICES.get(network.options.device.split(":")[0], network.options.device)
        try:
            model = core.read_model(network.directory / ONNX_FILE)
            check_outputs(network, [name for output in model.outputs for name in output.get_names()])
            if Role(network.role) is Role.TEXT_RECOGNITION:
                model = _without_tail(model)
            compiled = core.compile_model(model, device, _properties(network.options))
        except RuntimeError as error:
            raise EngineError(f"OpenVINO cannot load {network.directory / ONNX_FILE}: {error}") from error
        self._request = compiled.create_infer_request()
        self._recognises = Role(network.role) is Role.TEXT_RECOGNITION
        self._outputs = network.outputs
        self._batch_sizes = BATCH_SIZES.get(Role(network.role), (1,))

    def infer(self, image: Image) -> list[NDArray[Any]]:
        """See Engine.infer."""
        parts = [self._infer_part(part) for part in split_batch(image, self._batch_sizes)]
        return [np.concatenate(outputs) for outputs in zip(*parts, strict=True)]

    def _infer_part(self, image: Image) -> list[NDArray[Any]]:
        results = self._request.infer({0: image}, share_inputs=True, share_outputs=True)
        if self._recognises:
            return best_classes(results[0])
        return [np.array(results[name]) for name in self._outputs]


def best_classes(probabilities: NDArray[np.float32]) -> list[NDArray[Any]]:
    """What the contract graph's tail gives for [B, T, classes]: indices int32 [B, T], confidences float32."""
    indices = probabilities.argmax(axis=2)
    confidences = np.take_along_axis(probabilities, indices[..., np.newaxis], axis=2)[..., 0]
    return [indices.astype(np.int32), confidences]


def _without_tail(model: openvino.Model) -> openvino.Model:
    """A recognition network up to its probabilities: OpenVINO's TopK takes a seventh of all its time."""
    (best,) = (node for node in model.get_ops() if node.get_type_name() == "TopK")
    return openvino.Model([best.input_value(0)], model.get_parameters())


def split_batch(image: Image, sizes: Sequence[int]) -> Iterator[Image]:
    """Cut a batch into parts of the given sizes, the largest that fits first.

    Args:
        image: uint8 [B, H, W, 3].
        sizes: descending, the last of them 1.
    """
    start = 0
    while start < len(image):
        size = next(size for size in sizes if size <= len(image) - start)
        yield image[start : start + size]
        start += size


def _properties(options: EngineOptions) -> dict[str, Any]:
    # Pinning would put every instance, each its own process, on the same first cores.
    properties: dict[str, Any] = {"NUM_STREAMS": 1, "ENABLE_CPU_PINNING": False}
    if options.device != "cpu":
        properties = {}
    if options.threads:
        properties["INFERENCE_NUM_THREADS"] = options.threads
    if options.precision != "auto":
        properties["INFERENCE_PRECISION_HINT"] = options.precision
    if options.cache_dir is not None:
        properties["CACHE_DIR"] = str(options.cache_dir)
    return properties
