"""What `--device` may name, and which engine reaches it by what: the one table of hardware.

Names are PaddleX's: `cpu`, `gpu`, `gpu:0`, `gpu:0,1`, and so on for every other kind.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tritonocr_backend.core.errors import ServerError

_NAME = re.compile(r"([a-z]+)(?::(\d+(?:,\d+)*))?")
_INSTANCE = re.compile(r"-device-(\d+)(?:_\d+)*$")


@dataclass(frozen=True)
class Support:
    """How an engine reaches a kind of hardware.

    Attributes:
        target: the engine's own name for it: ONNX Runtime's provider, OpenVINO's or Paddle's device.
        remedy: what to install where this engine lacks it.
    """

    target: str
    remedy: str


@dataclass(frozen=True)
class Hardware:
    """A kind of hardware, and the engines that reach it, the one that `auto` takes first."""

    description: str
    engines: Mapping[str, Support]


_ONNXRUNTIME_GPU = (
    "put onnxruntime-gpu in the place of onnxruntime: pip uninstall -y onnxruntime; "
    "pip install 'onnxruntime-gpu[cuda,cudnn]'"
)


def _in_place(package: str, note: str = "") -> str:
    return f"put {package} in the place of onnxruntime{note}"


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
            "paddle": Support("gpu", "put paddlepaddle-gpu in the place of paddlepaddle"),
            "openvino": Support("GPU", "install Intel's GPU driver, intel-opencl-icd"),
        },
    ),
    "npu": Hardware(
        "Huawei Ascend NPU; Intel NPU with openvino",
        {
            "onnxruntime": Support("CANNExecutionProvider", _in_place("onnxruntime-cann")),
            "paddle": _custom("npu"),
            "openvino": Support("NPU", "install Intel's NPU driver, intel-level-zero-npu"),
        },
    ),
    "xpu": Hardware(
        "Kunlunxin XPU",
        {"paddle": Support("xpu", "put paddlepaddle-xpu in the place of paddlepaddle")},
    ),
    "mlu": Hardware("Cambricon MLU", {"paddle": _custom("mlu")}),
    "dcu": Hardware(
        "Hygon DCU, AMD GPU (ROCm)",
        {
            "paddle": Support("dcu", "put paddlepaddle-dcu in the place of paddlepaddle"),
            "onnxruntime": Support("MIGraphXExecutionProvider", _in_place("onnxruntime-migraphx")),
        },
    ),
    "gcu": Hardware("Enflame GCU", {"paddle": _custom("gcu")}),
    "dml": Hardware(
        "DirectX 12 GPU",
        {
            "onnxruntime": Support(
                "DmlExecutionProvider",
                _in_place("onnxruntime-directml", ", which is for Windows only; tritonserver needs Linux"),
            )
        },
    ),
}


class DeviceNameError(ServerError):
    """No device is called so; one that is merely not there raises ServerError itself."""


@dataclass(frozen=True)
class Device:
    """What networks run on: a kind of HARDWARE, and which of them; CPUs are not numbered."""

    kind: str
    indices: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"{self.kind}:{','.join(map(str, self.indices))}" if self.indices else self.kind

    @property
    def index(self) -> int:
        """The first one's number."""
        return self.indices[0] if self.indices else 0


def parse(name: str) -> Device:
    """Read PaddleX's device name; `gpu` alone is `gpu:0`.

    Raises:
        DeviceNameError: there is no such kind, or an index is given twice or to a CPU.
    """
    match = _NAME.fullmatch(name)
    if match is None or match[1] not in HARDWARE:
        raise DeviceNameError(
            f"device: got {name!r}, expected one of {', '.join(HARDWARE)}, "
            "optionally with device numbers, as in gpu:0 or gpu:0,1"
        )
    kind, numbers = match[1], [int(number) for number in (match[2] or "0").split(",")]
    if kind == "cpu":
        if match[2]:
            raise DeviceNameError(f"device: got {name!r}, but CPUs are not numbered: expected cpu")
        return Device("cpu")
    if len(set(numbers)) < len(numbers):
        raise DeviceNameError(f"device: got {name!r}, which names one of them twice")
    return Device(kind, tuple(numbers))


def support(device: Device, engine: str) -> Support:
    """How an engine reaches a device.

    Raises:
        ServerError: it does not; the message names the engines that do.
    """
    hardware = HARDWARE[device.kind]
    if engine not in hardware.engines:
        raise ServerError(
            f"device: got '{device}' ({hardware.description}), which {engine} does not run on; "
            f"engines that do: {', '.join(hardware.engines)}"
        )
    return hardware.engines[engine]


def engine_for(device: Device, engine: str) -> str:
    """Return the engine for a device; for `auto` the first that supports it, or `auto` itself on a CPU.

    Raises:
        ServerError: the engine asked for does not reach it.
    """
    if engine == "auto":
        return "auto" if device.kind == "cpu" else next(iter(HARDWARE[device.kind].engines))
    support(device, engine)
    return engine


def require_provider(device: Device, available: Sequence[str]) -> None:
    """Check that the installed ONNX Runtime has the provider of a device.

    Args:
        device: what networks are to run on.
        available: `onnxruntime.get_available_providers()`.

    Raises:
        ServerError: it has not; the message says which package does.
    """
    needed = support(device, "onnxruntime")
    if needed.target not in available:
        raise ServerError(
            f"device: got '{device}', which needs ONNX Runtime's {needed.target}; "
            f"this installation has {', '.join(available)}: {needed.remedy}"
        )


def is_cuda(device: Device, engine: str) -> bool:
    """Whether this is an NVIDIA GPU, which Triton itself knows and numbers (OpenVINO's GPUs are Intel's)."""
    return device.kind == "gpu" and engine != "openvino"


def instance_group_name(model: str, index: int) -> str:
    """Return the name of a device's instance group; `of_instance` reads the device's number from it."""
    return f"{model}-device-{index}"


def of_instance(name: str, arguments: Mapping[str, str]) -> Device:
    """Return the device of a model instance, one of the devices of its network.

    Args:
        name: as in the network's card, `gpu:0,1` for example.
        arguments: of Triton's `initialize`. Triton numbers NVIDIA GPUs itself; of anything else, each of
            several devices has an instance group of its own that is named by `instance_group_name`.
    """
    device = parse(name)
    if arguments["model_instance_kind"] == "GPU":
        return Device(device.kind, (int(arguments["model_instance_device_id"]),))
    match = _INSTANCE.search(arguments["model_instance_name"])
    return Device(device.kind, (int(match[1]),)) if match and device.indices else device
