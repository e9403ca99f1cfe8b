"""OpenVINO: the fastest engine on Intel and AMD CPUs."""

from __future__ import annotations

from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray

from tritonocr_backend.arrays import Image
from tritonocr_backend.engines.base import ONNX_FILE, EngineError, EngineOptions, Network

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

    def infer(self, image: Image) -> list[NDArray[Any]]:
        """See Engine.infer."""
        results = self._request.infer({0: image}, share_inputs=True, share_outputs=True)
        return [np.asarray(results[name]) for name in self._outputs]


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
