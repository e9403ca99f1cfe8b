"""The engine protocol, and which engine runs which artefact."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from tritonocr_backend.core import devices
from tritonocr_backend.core.arrays import Image
from tritonocr_backend.core.contracts import LINE_ROLES, Role
from tritonocr_backend.core.network_metadata import Normalisation

ONNX_FILE = "model.onnx"
PADDLE_FILES = ("inference.json", "inference.pdmodel")


class EngineError(RuntimeError):
    """An engine cannot load or run a network."""


class Engine(Protocol):
    """Runs one network.

    Attributes:
        streams: how many threads may call `infer` at the same time.
        batch_sizes: what it is best given, descending to 1; empty where any will do.
    """

    streams: int
    batch_sizes: Sequence[int]

    def infer(self, image: Image) -> list[NDArray[Any]]:
        """Run the network on a batch.

        Args:
            image: uint8 [B, H, W, 3] BGR.

        Returns:
            The contract's output tensors of the network's role, in order.
        """


@dataclass(frozen=True)
class EngineOptions:
    """How a network is run.

    Attributes:
        device: PaddleX's device name of one device: cpu, gpu:0 ...
        precision: f32, bf16, f16, or auto (bf16 where the CPU computes in it, else f32).
        threads: threads of one instance, which on a CPU are a stream each for networks of lines; 0 lets the
            engine choose.
        cache_dir: where compiled networks are kept; None keeps none.
        tensorrt: ONNX Runtime's options for TensorRT; empty where it is not to compile the network.
    """

    device: str = "cpu"
    precision: str = "auto"
    threads: int = 0
    cache_dir: Path | None = None
    tensorrt: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Network:
    """What an engine loads.

    Attributes:
        directory: holds `model.onnx` (the contract graph), or Paddle's inference files.
        role: the network's role.
        outputs: names of the contract's outputs.
        normalisation: applied by the Paddle engine, whose files do not contain it.
        options: how it is run.
        own_size: (height, width) that the Paddle engine resizes images to; None leaves them.
    """

    directory: Path
    role: Role
    outputs: tuple[str, ...]
    normalisation: Normalisation
    options: EngineOptions = field(default_factory=EngineOptions)
    own_size: tuple[int, int] | None = None


_ENGINES = {
    "openvino": ("tritonocr_backend.engines.openvino", "OpenVinoEngine"),
    "onnxruntime": ("tritonocr_backend.engines.onnxruntime", "OnnxRuntimeEngine"),
    "paddle": ("tritonocr_backend.engines.paddle", "PaddleEngine"),
}


def create_engine(name: str, network: Network) -> Engine:
    """Load a network with an engine.

    Args:
        name: openvino, onnxruntime, paddle, or auto.
        network: what to load.

    Raises:
        EngineError: the engine is unknown or not installed, or cannot load the network.
    """
    name = choose_engine(network) if name == "auto" else name
    if name not in _ENGINES:
        raise EngineError(f"engine: got {name!r}, expected one of auto, {', '.join(_ENGINES)}")
    if find_spec(name) is None:
        raise EngineError(f"engine {name!r} is not installed: pip install {name}")
    module, class_name = _ENGINES[name]
    engine: Engine = getattr(import_module(module), class_name)(network)
    return engine


def choose_engine(network: Network) -> str:
    """Paddle for Paddle's files; OpenVINO on a CPU; else the first engine that reaches the device."""
    if any((network.directory / file).exists() for file in PADDLE_FILES):
        return "paddle"
    device = devices.parse(network.options.device)
    engine = "openvino" if device.kind == "cpu" else devices.engine_for(device, "auto")
    return engine if find_spec(engine) else "onnxruntime"


def streams_of(network: Network) -> int:
    """How many batches run side by side: lines are small, and threads gain most with one each to read."""
    by_line = network.role in LINE_ROLES and devices.parse(network.options.device).kind == "cpu"
    return max(1, network.options.threads) if by_line else 1


def check_outputs(network: Network, found: Collection[str]) -> None:
    """Hold a loaded graph against the contract of the role that its card tells.

    Raises:
        EngineError: it lacks an output.
    """
    missing = [name for name in network.outputs if name not in found]
    if missing:
        raise EngineError(
            f"{network.directory / ONNX_FILE} has the outputs {', '.join(sorted(found))}; "
            f"a network of the role {network.role.value} has {', '.join(network.outputs)}"
        )
