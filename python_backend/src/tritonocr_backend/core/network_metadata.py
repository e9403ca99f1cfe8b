"""`network.json`: what is known of a network that is served, written beside its weights.

`zoo` writes it; the network's own process, the `ocr` model and the decoder read it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from tritonocr_backend.core.contracts import Role
from tritonocr_backend.core.errors import TritonOcrError

CARD_FILE = "network.json"
CHARACTERS_FILE = "characters.json"
HIDDEN_FILE = "hidden"
"""In a network's folder: loaded or not, requests must not be given to it (yet, or any more)."""


@dataclass(frozen=True)
class Normalisation:
    """(pixel * scale - mean) / std per channel, channels in `channel_order`."""

    scale: float
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    channel_order: Literal["BGR", "RGB"]


@dataclass(frozen=True)
class NetworkCard:
    """A served network.

    Attributes:
        name: the name it is served under.
        role: what it does.
        normalisation: what the network's own input wants; the contract graph contains it.
        languages: codes of `lang`, the one it is made for first; recognition only.
        engine: openvino, onnxruntime, paddle or auto.
        precision: f32, bf16, f16 or auto.
        threads: threads of one instance; 0 lets the engine choose.
        device: PaddleX's device name, cpu, gpu:0 or gpu:0,1; of several, each instance takes its own.
        right_to_left: whether it reads a script that runs from right to left; recognition only.
        generation: the N of PP-OCRvN; of two that read a language, the newer is taken. 0 is unknown.
        own_size: (height, width) that Paddle files want their images resized to; None: as they come.
        options: the network's own values of `predict()` options (thresholds), under their names.
        backend: Triton's backend that runs it: python (our engines) or onnxruntime (the engine is its own).
        tensorrt_options: ONNX Runtime's options for TensorRT; empty where it does not compile the network.
        engine_cache: directory that TensorRT keeps what it has compiled in.
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
    options: dict[str, Any] = field(default_factory=dict)
    backend: Literal["python", "onnxruntime"] = "python"
    tensorrt_options: dict[str, str] = field(default_factory=dict)
    engine_cache: str = ""

    def write(self, directory: Path) -> None:
        """Write the card into a model's version directory."""
        text = json.dumps(asdict(self), indent=2, ensure_ascii=False)
        (directory / CARD_FILE).write_text(text + "\n", encoding="utf-8")


class CardError(TritonOcrError, ValueError):
    """A card that cannot be read; the message names it."""


def read_card(directory: Path) -> NetworkCard:
    """Read the card in a model's version directory.

    Raises:
        CardError: it is no card of a network.
    """
    path = directory / CARD_FILE
    text = path.read_bytes()
    try:
        return _card(json.loads(text))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CardError(f"{path} is no card of a network: {type(error).__name__}: {error}") from None


def _card(values: dict[str, Any]) -> NetworkCard:
    norm = values.pop("normalisation")
    normalisation = Normalisation(
        norm["scale"], tuple(norm["mean"]), tuple(norm["std"]), norm["channel_order"]
    )
    values["role"] = Role(values["role"])
    values["languages"] = tuple(values["languages"])
    values["own_size"] = tuple(values["own_size"]) if values["own_size"] else None
    return NetworkCard(**values, normalisation=normalisation)
