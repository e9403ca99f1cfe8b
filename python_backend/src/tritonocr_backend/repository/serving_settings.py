"""The settings for running the models of a repository: engine, device, precision and instances."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from tritonocr_backend.core import devices
from tritonocr_backend.core.contracts import Role

Engine = Literal["auto", "openvino", "onnxruntime", "paddle"]
AdapterModel = Literal["docling_ocr"]
Precision = Literal["auto", "f32", "bf16", "f16"]
Backend = Literal["python", "onnxruntime"]
Accelerator = Literal["cuda", "tensorrt"]

GPU_BATCH_DELAY_US = 500
ENGINE_CACHE = "/var/cache/tritonocr"


@dataclass(frozen=True)
class ServingSettings:
    """Settings for running the models of a repository.

    Attributes:
        engine: openvino, onnxruntime, paddle or auto, for all networks.
        device: PaddleX's device name. With several devices (gpu:0,1), each device runs every network.
        precision: f32, bf16, f16 or auto, for roles without an entry in `precision_of_role`.
        precision_of_role: f32, bf16, f16 or auto per role.
        instances: instances per device, by model name or role. The defaults are cpu_sharing on a CPU and
            network_config.SERVING on a GPU.
        threads: threads per network instance, by role; 0 lets the engine choose. The default is cpu_sharing
            on a CPU and 0 on a GPU.
        backend: python for the engines of TritonOCR, or onnxruntime for Triton's own backend.
        accelerator: cuda or tensorrt on NVIDIA GPUs; tensorrt applies to networks with a bounded image size.
        batch_delay_us: time in microseconds that lines wait for a larger batch. None stands for 0 on a CPU
            and for GPU_BATCH_DELAY_US on NVIDIA GPUs.
        engine_cache: directory on the server in which TensorRT stores compiled networks.
        cores: CPU cores of the machine that serves the repository; 0 uses the cores of this process.
        adapters: models of contracts.ADAPTER_MODELS that the repository contains besides `ocr`.
    """

    engine: str = "auto"
    device: str = "cpu"
    precision: str = "auto"
    precision_of_role: Mapping[Role, str] = field(default_factory=dict)
    instances: Mapping[str, int] = field(default_factory=dict)
    threads: Mapping[Role, int] = field(default_factory=dict)
    backend: Backend = "python"
    accelerator: Accelerator = "cuda"
    batch_delay_us: int | None = None
    engine_cache: str = ENGINE_CACHE
    cores: int = 0
    adapters: tuple[AdapterModel, ...] = ()

    @property
    def is_cpu(self) -> bool:
        """Return whether the networks run on the CPU."""
        return devices.parse(self.device).kind == "cpu"

    @property
    def is_cuda(self) -> bool:
        """Return whether the networks run on NVIDIA GPUs."""
        return devices.is_cuda(devices.parse(self.device), self.engine)
