"""ONNX Runtime: NVIDIA GPUs (CUDA, TensorRT), other accelerators through its providers, and any CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from tritonocr_backend.arrays import Image
from tritonocr_backend.engines.base import ONNX_FILE, EngineError, EngineOptions, Network

_PROVIDERS = {"cpu": "CPUExecutionProvider", "gpu": "CUDAExecutionProvider", "npu": "CANNExecutionProvider"}


class OnnxRuntimeEngine:
    """Runs the contract graph with ONNX Runtime."""

    def __init__(self, network: Network) -> None:
        if network.options.precision not in ("auto", "f32"):
            raise EngineError(
                f"precision: got {network.options.precision!r}, ONNX Runtime runs a graph in f32 (or auto)"
            )
        session_options = onnxruntime.SessionOptions()
        session_options.intra_op_num_threads = network.options.threads
        session_options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                str(network.directory / ONNX_FILE), session_options, providers=_providers(network.options)
            )
        except Exception as error:  # ONNX Runtime's exceptions share no base but Exception
            raise EngineError(f"ONNX Runtime cannot load {network.directory / ONNX_FILE}: {error}") from error
        self._outputs = list(network.outputs)

    def infer(self, image: Image) -> list[NDArray[Any]]:
        """See Engine.infer."""
        return [np.asarray(output) for output in self._session.run(self._outputs, {"image": image})]


def _providers(options: EngineOptions) -> list[Any]:
    kind, _, index = options.device.partition(":")
    provider = _PROVIDERS.get(kind)
    available = onnxruntime.get_available_providers()
    if provider not in available:
        raise EngineError(
            f"device: got {options.device!r}, which needs ONNX Runtime's {provider or kind}; "
            f"this installation has {', '.join(available)}"
        )
    return [(provider, {"device_id": index or "0"})] if kind != "cpu" else [provider]
