"""The engine protocol, and the choice of the engine for a network's files."""

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
from tritonocr_backend.core.paddle_files import PADDLE_PROGRAMS

ONNX_FILE = "model.onnx"


class EngineError(RuntimeError):
    """An engine cannot load or run a network."""


class Engine(Protocol):
    """Runs one network.

    Attributes:
        streams: number of threads that may call `infer` at the same time.
        batch_sizes: the batch sizes to use, descending to 1. Empty: any batch size is equally good.
    """

    streams: int
    batch_sizes: Sequence[int]

    def infer(self, image: Image) -> list[NDArray[Any]]:
        """Run the network on a batch.

        Args:
            image: uint8 [B, H, W, 3] BGR.

        Returns:
            The output tensors of the network's contract, in order.
        """


@dataclass(frozen=True)
class EngineOptions:
    """How an engine runs a network.

    Attributes:
        device: PaddleX's device name of one device: cpu, gpu:0 ...
        precision: f32, bf16, f16, or auto (bf16 on CPUs that compute in bf16, else f32).
        threads: threads of one instance. Networks that read lines on a CPU use one stream per thread.
            0: the engine chooses.
        cache_dir: directory of compiled networks. None: they are not kept.
        tensorrt: ONNX Runtime's options for TensorRT. Empty: TensorRT is not used.
    """

    device: str = "cpu"
    precision: str = "auto"
    threads: int = 0
    cache_dir: Path | None = None
    tensorrt: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Network:
    """A network that an engine loads.

    Attributes:
        directory: the folder of `model.onnx` (the contract graph) or of Paddle's inference files.
        role: the network's role.
        outputs: names of the contract's outputs.
        normalisation: applied by the Paddle engine. The contract graph contains it already.
        options: how the engine runs it.
        own_size: (height, width) in pixels that the Paddle engine resizes images to. None: no resizing.
    """

    directory: Path
    role: Role
    outputs: tuple[str, ...]
    normalisation: Normalisation
    options: EngineOptions = field(default_factory=EngineOptions)
    own_size: tuple[int, int] | None = None


_DISTRIBUTIONS = {"paddle": "paddlepaddle"}  # packages whose name differs from the module's
_ENGINES = {
    "openvino": ("tritonocr_backend.engines.openvino", "OpenVinoEngine"),
    "onnxruntime": ("tritonocr_backend.engines.onnxruntime", "OnnxRuntimeEngine"),
    "paddle": ("tritonocr_backend.engines.paddle", "PaddleEngine"),
}


def create_engine(name: str, network: Network) -> Engine:
    """Load a network with an engine.

    Args:
        name: openvino, onnxruntime, paddle, or auto.
        network: the network to load.

    Raises:
        EngineError: the engine is unknown, is not installed, or cannot load the network.
    """
    name = choose_engine(network) if name == "auto" else name
    if name not in _ENGINES:
        raise EngineError(f"engine: got {name!r}, expected one of auto, {', '.join(_ENGINES)}")
    if find_spec(name) is None:
        raise EngineError(f"engine {name!r} is not installed: pip install {_DISTRIBUTIONS.get(name, name)}")
    module, class_name = _ENGINES[name]
    engine: Engine = getattr(import_module(module), class_name)(network)
    return engine


def choose_engine(network: Network) -> str:
    """Return Paddle for Paddle's files, OpenVINO on a CPU, else the device's first engine."""
    if any((network.directory / file).exists() for file in PADDLE_PROGRAMS):
        return "paddle"
    device = devices.parse(network.options.device)
    engine = "openvino" if device.kind == "cpu" else devices.engine_for(device, "auto")
    return engine if find_spec(engine) else "onnxruntime"


def streams_of(network: Network) -> int:
    """Return how many batches run in parallel. Line images are small: one thread per stream is fastest."""
    by_line = network.role in LINE_ROLES and devices.parse(network.options.device).kind == "cpu"
    return max(1, network.options.threads) if by_line else 1


def check_outputs(network: Network, found: Collection[str]) -> None:
    """Check that a loaded graph has the outputs of its contract.

    Raises:
        EngineError: an output is missing.
    """
    missing = [name for name in network.outputs if name not in found]
    if missing:
        raise EngineError(
            f"{network.directory / ONNX_FILE} has the outputs {', '.join(sorted(found))}; "
            f"a network of the role {network.role.value} has {', '.join(network.outputs)}"
        )
