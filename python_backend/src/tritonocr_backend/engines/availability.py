"""Check that networks can run on the device that `--device` names, before the first model is loaded.

A missing driver, provider or library, or a missing or full GPU, gives one error that says what to do.
Without this check each model process would fail with an error of its own.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from tritonocr_backend.core import devices
from tritonocr_backend.core.devices import Device, Support
from tritonocr_backend.core.errors import ServerError

# GPU memory of one network process before the first activation: the CUDA context and cuDNN's kernels. This is
# a lower bound and was not measured with these networks.
INSTANCE_BYTES = 512 << 20
_GIB = 1 << 30


@dataclass(frozen=True)
class GpuMemory:
    """Memory of one NVIDIA GPU."""

    name: str
    free_bytes: int
    total_bytes: int


def require(device: Device, engine: str, instances: int) -> None:
    """Check that an engine can run networks on a device of this machine.

    Args:
        device: the device that the networks run on.
        engine: openvino, onnxruntime, paddle or auto. A CPU is always available.
        instances: number of network processes on each device.

    Raises:
        ServerError: the engine cannot run there. The message says what is missing and what to do.
    """
    if device.kind == "cpu" or engine == "auto":
        return
    needed = devices.support(device, engine)
    if devices.is_cuda(device, engine):
        check_gpus(device, read_gpus(), instances * INSTANCE_BYTES)
    if find_spec(engine) is None:
        raise ServerError(f"device: got '{device}', which needs the engine {engine!r}: {needed.remedy}")
    _CHECKS[engine](device, needed)


def read_gpus() -> list[GpuMemory]:
    """Return the NVIDIA GPUs that this process sees, in CUDA's order, read from the driver (NVML).

    Raises:
        ServerError: no NVIDIA driver is installed.
    """
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        raise ServerError(
            f"device: no NVIDIA driver answers here ({error}): install it, start the container with "
            "--gpus all, or use --device cpu"
        ) from error
    try:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        if visible is None:
            return [_memory(str(number)) for number in range(pynvml.nvmlDeviceGetCount())]
        return list(_listed_gpus(visible))
    finally:
        pynvml.nvmlShutdown()


def _listed_gpus(visible: str) -> Iterator[GpuMemory]:
    """Yield the GPUs of a `CUDA_VISIBLE_DEVICES`; as in CUDA, an invalid entry such as -1 ends the list."""
    import pynvml

    for name in visible.split(","):
        try:
            yield _memory(name.strip())
        except pynvml.NVMLError:
            return


def _memory(name: str) -> GpuMemory:
    """Return the memory of the GPU with a number or UUID."""
    import pynvml

    by_number = name.isdigit()
    handle = (
        pynvml.nvmlDeviceGetHandleByIndex(int(name)) if by_number else pynvml.nvmlDeviceGetHandleByUUID(name)
    )
    memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
    return GpuMemory(str(pynvml.nvmlDeviceGetName(handle)), int(memory.free), int(memory.total))


def check_gpus(device: Device, gpus: Sequence[GpuMemory], needed_bytes: int) -> None:
    """Check that each GPU that a device names exists and has enough free memory.

    Raises:
        ServerError: a GPU is missing or full.
    """
    for index in device.indices:
        if index >= len(gpus):
            there = ", ".join(f"gpu:{number} ({gpu.name})" for number, gpu in enumerate(gpus))
            raise ServerError(
                f"device: got '{device}', but gpu:{index} does not exist; "
                f"this machine has {there or 'no NVIDIA GPU'}"
            )
        gpu = gpus[index]
        if gpu.free_bytes < needed_bytes:
            raise ServerError(
                f"device: gpu:{index} ({gpu.name}) has {gpu.free_bytes / _GIB:.1f} of "
                f"{gpu.total_bytes / _GIB:.1f} GiB free, and these networks need at least "
                f"{needed_bytes / _GIB:.1f} GiB: stop the other programs on it (nvidia-smi lists them), "
                "use another GPU, or use fewer instances"
            )


def _check_onnxruntime(device: Device, needed: Support) -> None:
    import onnxruntime

    devices.require_provider(device, onnxruntime.get_available_providers())


def _check_openvino(device: Device, needed: Support) -> None:
    import openvino

    there = openvino.Core().available_devices  # GPU, or GPU.0 and GPU.1
    if needed.target not in {name.partition(".")[0] for name in there}:
        raise ServerError(
            f"device: got '{device}', which needs OpenVINO's {needed.target}; "
            f"OpenVINO finds {', '.join(there)}: {needed.remedy}"
        )
    if device.indices != (0,):
        raise ServerError(
            f"device: got '{device}', expected {device.kind}:0, the only one that OpenVINO supports here"
        )


def _check_paddle(device: Device, needed: Support) -> None:
    from paddle import device as paddle_device

    built_for = {
        "gpu": paddle_device.is_compiled_with_cuda,
        "dcu": paddle_device.is_compiled_with_rocm,
        "xpu": paddle_device.is_compiled_with_xpu,
    }
    is_there: Callable[[], bool] = built_for.get(
        needed.target, lambda: needed.target in (paddle_device.get_all_custom_device_type() or ())
    )
    if not is_there():
        raise ServerError(
            f"device: got '{device}', which the installed Paddle does not support: {needed.remedy}"
        )


_CHECKS: Mapping[str, Callable[[Device, Support], None]] = {
    "onnxruntime": _check_onnxruntime,
    "openvino": _check_openvino,
    "paddle": _check_paddle,
}
