"""`network.json`: the metadata of a served network, stored beside its weights.

`repository` writes the file; the network's own process, the `ocr` model and the decoder read it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from tritonocr_backend.core.contracts import GRID_OUTPUTS, NATIVE_OUTPUTS, NETWORK_OUTPUTS, Role
from tritonocr_backend.core.errors import TritonOcrError

METADATA_FILE = "network.json"
CHARACTERS_FILE = "characters.json"
HIDDEN_FILE = "hidden"
"""A file in a network's folder: while it is there, no request is sent to the network."""


@dataclass(frozen=True)
class Normalisation:
    """(pixel * scale - mean) / std per channel, channels in `channel_order`."""

    scale: float
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    channel_order: Literal["BGR", "RGB"]


@dataclass(frozen=True)
class NetworkMetadata:
    """Metadata of a served network.

    Attributes:
        name: name under which the network is served.
        role: its role in the pipeline.
        normalisation: normalisation of its input; the exported graph contains it.
        languages: codes of `lang`, the main language first; recognition only.
        engine: openvino, onnxruntime, paddle or auto.
        precision: f32, bf16, f16 or auto.
        threads: threads of one instance; 0 lets the engine choose.
        device: PaddleX's name of the device: cpu, gpu:0 or gpu:0,1; the instances share several devices.
        right_to_left: whether the network reads a right-to-left script; recognition only.
        generation: the N of PP-OCRvN, 0 if unknown; the newest network of a language is preferred.
        own_size: (height, width) in px to which Paddle files resize their images; None: no resizing.
        grid_input_size: (height, width) in px of the image of an unwarping network that returns a grid;
            None: every other network.
        options: the network's own thresholds, by the name of the option.
        backend: Triton's backend of the network: python (our engines) or onnxruntime.
        tensorrt_options: ONNX Runtime's options for TensorRT; empty without TensorRT.
        engine_cache: directory of TensorRT's compiled engines.
    """

    name: str
    role: Role
    normalisation: Normalisation
    languages: tuple[str, ...] = ()
    engine: str = "auto"
    precision: str = "auto"
    threads: int = 0
    device: str = "cpu"
    right_to_left: bool = False
    generation: int = 0
    own_size: tuple[int, int] | None = None
    grid_input_size: tuple[int, int] | None = None
    options: dict[str, Any] = field(default_factory=dict)
    backend: Literal["python", "onnxruntime"] = "python"
    tensorrt_options: dict[str, str] = field(default_factory=dict)
    engine_cache: str = ""

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the network's output tensors."""
        if self.grid_input_size:
            return GRID_OUTPUTS
        native = NATIVE_OUTPUTS.get(self.role) if self.backend == "onnxruntime" else None
        return native or NETWORK_OUTPUTS[self.role]

    def write(self, directory: Path) -> None:
        """Write the metadata into a model's version directory."""
        text = json.dumps(asdict(self), indent=2, ensure_ascii=False)
        (directory / METADATA_FILE).write_text(text + "\n", encoding="utf-8")


class NetworkMetadataError(TritonOcrError, ValueError):
    """A metadata file cannot be read; the message names the file."""


def read_network_metadata(directory: Path) -> NetworkMetadata:
    """Read the metadata in a model's version directory.

    Raises:
        NetworkMetadataError: the file is not the metadata of a network.
    """
    path = directory / METADATA_FILE
    text = path.read_bytes()
    try:
        return _parsed(json.loads(text))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise NetworkMetadataError(
            f"{path} is not the metadata of a network: {type(error).__name__}: {error}"
        ) from None


def _parsed(values: dict[str, Any]) -> NetworkMetadata:
    norm = values.pop("normalisation")
    normalisation = Normalisation(
        norm["scale"], tuple(norm["mean"]), tuple(norm["std"]), norm["channel_order"]
    )
    values["role"] = Role(values["role"])
    values["languages"] = tuple(values["languages"])
    for size in ("own_size", "grid_input_size"):
        values[size] = tuple(values[size]) if values[size] else None
    return NetworkMetadata(**values, normalisation=normalisation)
