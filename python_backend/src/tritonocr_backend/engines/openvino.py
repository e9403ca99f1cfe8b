"""OpenVINO: the fastest engine on Intel and AMD CPUs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray

from tritonocr_backend.arrays import Image
from tritonocr_backend.contracts import Role
from tritonocr_backend.engines.base import ONNX_FILE, EngineError, EngineOptions, Network

# OpenVINO prepares itself anew for every shape (about 80 ms and 2 MB for recognition) and gains nothing from
# batches over a handful. So few batch sizes are run, whatever Triton put together.
BATCH_SIZES = {Role.TEXT_RECOGNITION: (4, 1), Role.TEXTLINE_ORIENTATION: (8, 1)}

_DEVICES = {"cpu": "CPU", "gpu": "GPU", "npu": "NPU"}


class OpenVinoEngine:
    """Runs the contract graph with OpenVINO."""

    def __init__(self, network: Network) -> None:
        core = openvino.Core()
        device = _DEVICES.get(network.options.device.split(":")[0], network.options.device)
        try:
            model = core.read_model(network.directory / ONNX_FILE)
            compiled = core.compile_model(model, device, _properties(network.options))
        except RuntimeError as error:
            raise EngineError(f"OpenVINO cannot load {network.directory / ONNX_FILE}: {error}") from error
        self._request = compiled.create_infer_request()
        self._outputs = network.outputs
        self._batch_sizes = BATCH_SIZES.get(Role(network.role), (1,))

    def infer(self, image: Image) -> list[NDArray[Any]]:
        """See Engine.infer."""
        parts = [self._infer_part(part) for part in split_batch(image, self._batch_sizes)]
        return [np.concatenate(outputs) for outputs in zip(*parts, strict=True)]

    def _infer_part(self, image: Image) -> list[NDArray[Any]]:
        results = self._request.infer({0: image}, share_inputs=True, share_outputs=True)
        return [np.array(results[name]) for name in self._outputs]


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
