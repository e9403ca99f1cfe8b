"""Define the device names of `--device` and the engines that support each kind of hardware.

The names are those of PaddleX: `cpu`, `gpu`, `gpu:0`, `gpu:0,1`, and so on for every other kind.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tritonocr_backend.core.errors import ServerError
from tritonocr_common.quoting import quoted

_NAME = re.compile(r"([a-z]+)(?::(\d+(?:,\d+)*))?")
_INSTANCE = re.compile(r"-device-(\d+)(?:_\d+)*$")


@dataclass(frozen=True)
class Support:
    """The support of an engine for a kind of hardware.

    Attributes:
        target: the engine's name of the hardware: ONNX Runtime's provider, OpenVINO's or Paddle's device.
        remedy: what to install if the installed engine does not support the hardware.
    """

    target: str
    remedy: str


@dataclass(frozen=True)
class Hardware:
    """A kind of hardware, and the engines that support it. `auto` selects the first engine."""

    description: str
    engines: Mapping[str, Support]


_ONNXRUNTIME_GPU = (
    "replace onnxruntime by onnxruntime-gpu: pip uninstall -y onnxruntime; "
    "pip install 'onnxruntime-gpu[cuda,cudnn]'"
)


def _replacement(package: str, note: str = "") -> str:
    return f"replace onnxruntime by {package}{note}"


def _custom(kind: str) -> Support:
    return Support(kind, f"pip install paddle-custom-{kind}, from PaddlePaddle's own index")


HARDWARE: Mapping[str, Hardware] = {
    "cpu": Hardware(
        "any CPU",
        {
            "openvino": Support("CPU", "pip install openvino"),
            "onnxruntime": Support("CPUExecutionProvider", "pip install onnxruntime"),
            "paddle": Support("cpu", "pip install 'tritonocr-server[paddle]'"),
        },
    ),
    "gpu": Hardware(
        "NVIDIA GPU; Intel GPU with openvino",
        {
            "onnxruntime": Support("CUDAExecutionProvider", _ONNXRUNTIME_GPU),
            "paddle": Support("gpu", "replace paddlepaddle by paddlepaddle-gpu"),
            "openvino": Support("GPU", "install Intel's GPU driver, intel-opencl-icd"),
        },
    ),
    "npu": Hardware(
        "Huawei Ascend NPU; Intel NPU with openvino",
        {
            "onnxruntime": Support("CANNExecutionProvider", _replacement("onnxruntime-cann")),
            "paddle": _custom("npu"),
            "openvino": Support("NPU", "install Intel's NPU driver, intel-level-zero-npu"),
        },
    ),
    "xpu": Hardware(
        "Kunlunxin XPU",
        {"paddle": Support("xpu", "replace paddlepaddle by paddlepaddle-xpu")},
    ),
    "mlu": Hardware("Cambricon MLU", {"paddle": _custom("mlu")}),
    "dcu": Hardware(
        "Hygon DCU, AMD GPU (ROCm)",
        {
            "paddle": Support("dcu", "replace paddlepaddle by paddlepaddle-dcu"),
            "onnxruntime": Support("MIGraphXExecutionProvider", _replacement("onnxruntime-migraphx")),
        },
    ),
    "gcu": Hardware("Enflame GCU", {"paddle": _custom("gcu")}),
    "dml": Hardware(
        "DirectX 12 GPU",
        {
            "onnxruntime": Support(
                "DmlExecutionProvider",
                _replacement("onnxruntime-directml", ", which is for Windows only; tritonserver needs Linux"),
            )
        },
    ),
}


class DeviceNameError(ServerError):
    """The text is not the name of a device. A missing device raises ServerError itself."""


@dataclass(frozen=True)
class Device:
    """A kind of HARDWARE, and the numbers of the devices of this kind. A CPU has no number."""

    kind: str
    indices: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"{self.kind}:{','.join(map(str, self.indices))}" if self.indices else self.kind

    @property
    def index(self) -> int:
        """The number of the first device."""
        return self.indices[0] if self.indices else 0


def parse(name: str) -> Device:
    """Read PaddleX's device name; `gpu` alone is `gpu:0`.

    Raises:
        DeviceNameError: the kind is unknown, a number is given twice, or a CPU has a number.
    """
    match = _NAME.fullmatch(name)
    if match is None or match[1] not in HARDWARE:
        raise DeviceNameError(
            f"device: got {quoted(name)}, expected one of {', '.join(HARDWARE)}, "
            "optionally with device numbers, as in gpu:0 or gpu:0,1"
        )
    kind, numbers = match[1], [int(number) for number in (match[2] or "0").split(",")]
    if kind == "cpu":
        if match[2]:
            raise DeviceNameError(f"device: got {quoted(name)}, but a CPU has no number: expected cpu")
        return Device("cpu")
    if len(set(numbers)) < len(numbers):
        raise DeviceNameError(f"device: got {quoted(name)}, which contains a number twice")
    return Device(kind, tuple(numbers))


def support(device: Device, engine: str) -> Support:
    """Return the support of an engine for a device.

    Raises:
        ServerError: the engine does not support the device. The message names the engines that do.
    """
    hardware = HARDWARE[device.kind]
    if engine not in hardware.engines:
        raise ServerError(
            f"device: got '{device}' ({hardware.description}), which {engine} does not support; "
            f"expected one of the engines {', '.join(hardware.engines)}"
        )
    return hardware.engines[engine]


def engine_for(device: Device, engine: str) -> str:
    """Return the engine for a device; for `auto` the first that supports it, or `auto` itself on a CPU.

    Raises:
        ServerError: the engine does not support the device.
    """
    if engine == "auto":
        return "auto" if device.kind == "cpu" else next(iter(HARDWARE[device.kind].engines))
    support(device, engine)
    return engine


def require_provider(device: Device, available: Sequence[str]) -> None:
    """Check that the installed ONNX Runtime has the provider of a device.

    Args:
        device: the device of the networks.
        available: `onnxruntime.get_available_providers()`.

    Raises:
        ServerError: the provider is missing. The message names the package that has the provider.
    """
    needed = support(device, "onnxruntime")
    if needed.target not in available:
        raise ServerError(
            f"device: got '{device}', which needs ONNX Runtime's {needed.target}; "
            f"this installation has {', '.join(available)}: {needed.remedy}"
        )


def is_cuda(device: Device, engine: str) -> bool:
    """Return whether the device is an NVIDIA GPU, which Triton numbers. OpenVINO's GPUs are Intel's."""
    return device.kind == "gpu" and engine != "openvino"


def instance_group_name(model: str, index: int) -> str:
    """Return the name of a device's instance group; `of_instance` reads the device's number from it."""
    return f"{model}-device-{index}"


def of_instance(name: str, arguments: Mapping[str, str]) -> Device:
    """Return the device of a model instance, one of the devices of its network.

    Args:
        name: the device in the metadata of the network, such as `gpu:0,1`.
        arguments: the arguments of Triton's `initialize`. Triton numbers NVIDIA GPUs itself. Each of several
            other devices has its own instance group, whose name `instance_group_name` returns.
    """
    device = parse(name)
    if arguments["model_instance_kind"] == "GPU":
        return Device(device.kind, (int(arguments["model_instance_device_id"]),))
    match = _INSTANCE.search(arguments["model_instance_name"])
    return Device(device.kind, (int(match[1]),)) if match and device.indices else device
