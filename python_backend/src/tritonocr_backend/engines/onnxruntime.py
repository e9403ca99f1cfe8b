"""The ONNX Runtime engine: NVIDIA GPUs (CUDA, TensorRT), other accelerators by provider, and any CPU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from tritonocr_backend.core import devices
from tritonocr_backend.core.arrays import Image
from tritonocr_backend.core.errors import ServerError
from tritonocr_backend.engines.base import (
    ONNX_FILE,
    EngineError,
    EngineOptions,
    Network,
    check_outputs,
    streams_of,
)
from tritonocr_backend.engines.fixed_shapes import largest_batch

TENSORRT = "TensorrtExecutionProvider"
PRECISIONS = ("auto", "f32", "f16")

# Batches come in many sizes. HEURISTIC avoids a search for the fastest algorithm at each new size;
# kSameAsRequested makes the memory arena grow by the requested size and no more.
_CUDA_OPTIONS = {"cudnn_conv_algo_search": "HEURISTIC", "arena_extend_strategy": "kSameAsRequested"}

_LIBRARIES = {
    TENSORRT: "pip install tensorrt-cu12 (tensorrt-cu13 for CUDA 13), or build for the accelerator cuda",
    "CUDAExecutionProvider": "pip install 'onnxruntime-gpu[cuda,cudnn]' for the CUDA that the driver has",
}


class OnnxRuntimeEngine:
    """Run the contract graph with ONNX Runtime."""

    def __init__(self, network: Network) -> None:
        options = network.options
        if options.precision not in PRECISIONS:
            raise EngineError(
                f"precision: got {options.precision!r}, expected f32, f16 or auto for ONNX Runtime"
            )
        session_options = onnxruntime.SessionOptions()
        self.streams = streams_of(network)
        self.batch_sizes = _tensorrt_batches(network) if options.tensorrt else ()
        session_options.intra_op_num_threads = options.threads // self.streams
        session_options.log_severity_level = 3
        providers = _providers(options)
        if devices.parse(options.device).kind == "gpu":
            onnxruntime.preload_dlls()  # the libraries of NVIDIA's wheels, if they are installed
        try:
            self._session = onnxruntime.InferenceSession(
                str(network.directory / ONNX_FILE), session_options, providers=providers
            )
        except Exception as error:  # ONNX Runtime's exceptions share no base but Exception
            raise EngineError(f"ONNX Runtime cannot load {network.directory / ONNX_FILE}: {error}") from error
        _check_used(options.device, [name for name, _ in providers], self._session.get_providers())
        check_outputs(network, [output.name for output in self._session.get_outputs()])
        self._outputs = list(network.outputs)

    def infer(self, image: Image) -> list[NDArray[Any]]:
        """See Engine.infer."""
        return [np.asarray(output) for output in self._session.run(self._outputs, {"image": image})]


def _tensorrt_batches(network: Network) -> Sequence[int]:
    """Return the batch sizes within the network's profile, in descending order."""
    return range(largest_batch(network.role, tensorrt=True), 0, -1)


def _providers(options: EngineOptions) -> list[tuple[str, dict[str, str]]]:
    device = devices.parse(options.device)
    try:
        provider = devices.support(device, "onnxruntime").target
        devices.require_provider(device, onnxruntime.get_available_providers())
    except ServerError as error:
        raise EngineError(str(error)) from error
    if device.kind == "cpu":
        return [(provider, {})]
    device_id = {"device_id": str(device.index)}
    own = (provider, {**device_id, **(_CUDA_OPTIONS if device.kind == "gpu" else {})})
    return [(TENSORRT, {**device_id, **_tensorrt(options)}), own] if options.tensorrt else [own]


def _tensorrt(options: EngineOptions) -> dict[str, str]:
    cached: dict[str, str] = {}
    if options.cache_dir is not None:
        directory = str(options.cache_dir)
        cached = {
            "trt_engine_cache_enable": "True",
            "trt_engine_cache_path": directory,
            "trt_timing_cache_enable": "True",
            "trt_timing_cache_path": directory,
        }
    # Without trt_fp16_enable, TensorRT computes each layer in the type that the graph states.
    return {**cached, **options.tensorrt}


def _check_used(device: str, requested: list[str], used: list[str]) -> None:
    """Raise EngineError if ONNX Runtime fell back to the CPU because a provider's libraries are missing."""
    for provider in requested:
        if provider not in used:
            remedy = _LIBRARIES.get(provider, "the log above names the missing library")
            raise EngineError(f"device: got {device!r}, but ONNX Runtime cannot start {provider}: {remedy}")
