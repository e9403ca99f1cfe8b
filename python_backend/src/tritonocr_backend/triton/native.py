"""Calls to networks in Triton's own backend: through `line_batching`, or with pages of few sizes.

The pipeline calls every network with the tensors of its role. A native network takes the same tensors, but a
GPU is faster with few shapes and with a small probability map. `adapted` changes a call and its answer so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonocr_backend.core.arrays import Image, Tensors
from tritonocr_backend.core.contracts import (
    IMAGE,
    LINE_BATCHING,
    LINE_ROLES,
    MAX_MAP_PIXELS,
    MODEL_NAME,
    Role,
)
from tritonocr_backend.core.network_metadata import NetworkMetadata
from tritonocr_backend.engines.fixed_shapes import padded_page

Outputs = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Call:
    """A call to a model: its name, inputs and outputs, and what turns its outputs into the answer."""

    model: str
    inputs: Tensors
    outputs: Sequence[str]
    finish: Callable[[Outputs], Outputs] = lambda outputs: outputs


def adapted(call: Call, network: NetworkMetadata | None) -> Call:
    """Return the call that a native network is faster with; every other call is returned unchanged."""
    if network is None or network.backend != "onnxruntime":
        return call
    if network.role in LINE_ROLES:
        names = np.full((len(call.inputs[IMAGE]), 1), call.model, dtype=object)
        return Call(LINE_BATCHING, {**call.inputs, MODEL_NAME: names}, call.outputs)
    if network.role is Role.TEXT_DETECTION:
        return _detection(call)
    return call


def _detection(call: Call) -> Call:
    image: Image = call.inputs[IMAGE]
    height, width = image.shape[1:3]
    padded = padded_page(image)
    if padded[..., 0].size > MAX_MAP_PIXELS:
        padded = image

    def finish(outputs: Outputs) -> Outputs:
        rounded = outputs["probability_uint8"][:, :height, :width]
        return {"probability": rounded.astype(np.float32) / np.float32(255)}

    return Call(call.model, {IMAGE: padded}, ("probability_uint8",), finish)
