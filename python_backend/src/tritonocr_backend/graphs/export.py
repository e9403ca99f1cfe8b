"""Add pre- and postprocessing to a network's ONNX graph, so that all engines serve the same tensors.

The exported graph takes `image`, uint8 [B, H, W, 3] BGR; float32 if the network returns a sampling grid. Its
first layers change the channel order and normalise. The last layers of a recognition network choose the best
class of each step, so that the network returns two small tensors instead of T x 6625 floats.
model_repository/README.md lists the tensors.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tritonocr_backend.core.contracts import GRID_INPUT_SIZE_PX, IMAGE, IMAGE_SIZES, PADDING_BGR, Role
from tritonocr_backend.core.network_metadata import Normalisation
from tritonocr_backend.graphs.full_precision import widen
from tritonocr_backend.graphs.upsampling import replace_upsampling
from tritonocr_backend.zoo.errors import ModelFormatError
from tritonocr_backend.zoo.inference_config import InferenceConfig

GRID_CHANNELS = 2


def export_contract_graph(
    network: Path,
    config: InferenceConfig,
    target: Path,
    *,
    half: bool = False,
    cast_first: bool = False,
    native: bool = False,
) -> None:
    """Write the contract graph of a PP-OCR network.

    Args:
        network: ONNX file with one float image input, NCHW.
        config: the network's role and its input format.
        target: ONNX file to write.
        half: compute in float16. Types of inputs and outputs do not change.
        native: for Triton's own backend: add the outputs of contracts.NATIVE_OUTPUTS.
        cast_first: cast from uint8 in the first layer. TensorRT requires it; a CPU is a few per cent slower.

    Raises:
        ModelFormatError: the file is no ONNX model, or it does not fit its role.
    """
    model = _load(network)
    grid_size = None
    if config.role is Role.DOC_UNWARPING:
        grid_size = _grid_input_size(model)
        widen(model)
    if half:
        # Imports ONNX Runtime, which few graphs need.
        from tritonocr_backend.graphs.half_precision import halve

        model = halve(model)
    graph = _Graph(model, cast_first)
    graph.feed(lambda image: _head(graph, image, config))
    _TAILS[config.role](graph)
    if native and config.role is Role.TEXT_DETECTION:
        _add_uint8_map(graph)
    image_type = TensorProto.FLOAT if grid_size else TensorProto.UINT8
    onnx.save(graph.finish(image_type, *(grid_size or IMAGE_SIZES[config.role])), target)


def grid_input_size(network: Path) -> tuple[int, int] | None:
    """Return (height, width) in pixels of the image that an unwarping network returns a grid for.

    None: the network returns the flat image itself, and takes pages of any size.

    Raises:
        ModelFormatError: the file is no ONNX model.
    """
    return _grid_input_size(_load(network))


def _load(network: Path) -> onnx.ModelProto:
    try:
        model = onnx.load(network)
    except Exception as error:  # protobuf raises its own types
        raise ModelFormatError(f"{network} is not an ONNX model: {error}") from error
    if not model.graph.node:  # an empty file parses as an empty model
        raise ModelFormatError(f"{network} is not an ONNX model: it holds no network")
    return model


def _grid_input_size(model: onnx.ModelProto) -> tuple[int, int] | None:
    if _channels(model.graph.output[0]) != GRID_CHANNELS:
        return None
    _, _, height, width = (dim.dim_value for dim in _inputs(model)[0].type.tensor_type.shape.dim)
    return (height, width) if height and width else GRID_INPUT_SIZE_PX


def _channels(output: onnx.ValueInfoProto) -> int:
    dims = output.type.tensor_type.shape.dim
    return dims[1].dim_value if len(dims) > 1 else 0


class _Graph:
    """An ONNX graph under construction: nodes are added before and after those of a network."""

    def __init__(self, model: onnx.ModelProto, cast_first: bool) -> None:
        if len(_inputs(model)) != 1:
            raise ModelFormatError(
                f"inputs of the network: got {[i.name for i in _inputs(model)]}, expected 1"
            )
        replace_upsampling(model)
        # The prefix avoids equal names: PaddleX's UVDoc also calls its input `image`.
        self._cast_first = cast_first
        self.model = onnx.compose.add_prefix(model, "network/")
        self._head: list[onnx.NodeProto] = []
        self._tail: list[onnx.NodeProto] = []
        self._nodes = self._head
        (self.input,) = _inputs(self.model)
        self.output = self.model.graph.output[0].name
        self.opset = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))

    def feed(self, build: Callable[[str], str]) -> None:
        """Connect the network's input to a tensor that `build` computes from the uint8 image.

        Nodes that are added later come after the network.
        """
        built = build(self.one("Cast", IMAGE, to=TensorProto.FLOAT) if self._cast_first else IMAGE)
        self._head.append(helper.make_node("Identity", [built], [self.input.name]))
        self._nodes = self._tail

    def node(self, kind: str, *inputs: str, outputs: int = 1, **attributes: Any) -> list[str]:
        """Append a node and return the names of its outputs."""
        number = len(self._head) + len(self._tail)
        names = [f"tritonocr_{number}_{i}" for i in range(outputs)]
        self._nodes.append(helper.make_node(kind, list(inputs), names, **attributes))
        return names

    def one(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Append a node with one output and return its name."""
        return self.node(kind, *inputs, **attributes)[0]

    def constant(self, value: Any, dtype: type = np.float32) -> str:
        """Append a constant and return its name."""
        tensor = numpy_helper.from_array(np.asarray(value, dtype=dtype))
        return self.one("Constant", value=tensor)

    def no_roi_and_scales(self) -> list[str]:
        """Return the unused inputs `roi` and `scales` of a Resize: omitted since opset 13, empty before."""
        return ["", ""] if self.opset >= 13 else [self.constant([]), self.constant([])]

    def outputs(self, **outputs: tuple[str, int, list[int | str]]) -> None:
        """Name the graph's outputs: name=(tensor, element type, dims)."""
        del self.model.graph.output[:]
        for name, output in outputs.items():
            self.add_output(name, *output)

    def add_output(self, name: str, tensor: str, element_type: int, dims: list[int | str]) -> None:
        """Name one more output of the graph."""
        self._nodes.append(helper.make_node("Identity", [tensor], [name]))
        self.model.graph.output.append(helper.make_tensor_value_info(name, element_type, dims))

    def finish(self, image_type: int, height: int | None, width: int | None) -> onnx.ModelProto:
        """Return the complete model. Its input is `image` of the given size in pixels; None: any size."""
        graph = self.model.graph
        own = list(graph.node)
        del graph.node[:]
        graph.node.extend([*self._head, *own, *self._tail])
        graph.input.remove(self.input)
        image = helper.make_tensor_value_info(IMAGE, image_type, ["B", height or "H", width or "W", 3])
        graph.input.insert(0, image)
        del graph.value_info[:]
        return self.model


def _inputs(model: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    """Return the graph's inputs without its weights."""
    weights = {tensor.name for tensor in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in weights]


def _head(graph: _Graph, image: str, config: InferenceConfig) -> str:
    if config.role is Role.TEXT_RECOGNITION:
        return _normalise_line(graph, image, config.normalisation)
    planes = _normalise(graph, image, config.normalisation)
    size = config.own_size
    if config.role is Role.DOC_UNWARPING:
        size = _flat_image_size(graph)
    return _resize_to(graph, planes, list(size)) if size else planes


def _flat_image_size(graph: _Graph) -> tuple[int, int] | None:
    """Return the fixed input size of a network that returns the flat image; None: it takes any size."""
    _, _, height, width = (dim.dim_value for dim in graph.input.type.tensor_type.shape.dim)
    is_fixed = height and width and _channels(graph.model.graph.output[0]) != GRID_CHANNELS
    return (height, width) if is_fixed else None


def _normalise(graph: _Graph, image: str, normalisation: Normalisation) -> str:
    """Append (pixel * scale - mean) / std from NHWC uint8 to NCHW float32, as one Mul and one Add."""
    if normalisation.channel_order == "RGB":
        image = graph.one("Gather", image, graph.constant([2, 1, 0], np.int64), axis=3)
    mean, std = np.array(normalisation.mean), np.array(normalisation.std)
    factor = (normalisation.scale / std).reshape(1, 3, 1, 1)
    offset = (-mean / std).reshape(1, 3, 1, 1)
    planes = graph.one("Transpose", image, perm=[0, 3, 1, 2])
    values = graph.one("Cast", planes, to=TensorProto.FLOAT)
    scaled = graph.one("Mul", values, graph.constant(factor))
    return graph.one("Add", scaled, graph.constant(offset))


def _normalise_line(graph: _Graph, image: str, normalisation: Normalisation) -> str:
    """Append the normalisation of line images, with 0 for pixels of the padding colour."""
    values = _normalise(graph, image, normalisation)
    planes = graph.one("Cast", graph.one("Transpose", image, perm=[0, 3, 1, 2]), to=TensorProto.INT32)
    colour = graph.constant(np.array(PADDING_BGR).reshape(1, 3, 1, 1), np.int32)
    matches = graph.one("Equal", planes, colour)
    blue, green, red = (
        graph.one("Gather", matches, graph.constant([channel], np.int64), axis=1) for channel in range(3)
    )
    is_padding = graph.one("And", graph.one("And", blue, green), red)
    return graph.one("Where", is_padding, graph.constant(0.0), values)


def _classify(graph: _Graph) -> None:
    graph.outputs(probabilities=(graph.output, TensorProto.FLOAT, ["B", "classes"]))


def _detect(graph: _Graph) -> None:
    plane = graph.one("Gather", graph.output, graph.constant(0, np.int64), axis=1)
    graph.outputs(probability=(plane, TensorProto.FLOAT, ["B", "H", "W"]))


def _add_uint8_map(graph: _Graph) -> None:
    """Append the output `probability_uint8`: the map times 255, rounded."""
    scaled = graph.one("Mul", "probability", graph.constant(255.0))
    rounded = graph.one("Cast", graph.one("Add", scaled, graph.constant(0.5)), to=TensorProto.UINT8)
    graph.add_output("probability_uint8", rounded, TensorProto.UINT8, ["B", "H", "W"])


def _recognise(graph: _Graph) -> None:
    """Append the best class of each step and its probability."""
    indices = graph.one("ArgMax", graph.output, axis=2, keepdims=0)
    indices = graph.one("Cast", indices, to=TensorProto.INT32)
    confidences = _maximum(graph, graph.output, axis=2)
    graph.outputs(
        indices=(indices, TensorProto.INT32, ["B", "T"]),
        confidences=(confidences, TensorProto.FLOAT, ["B", "T"]),
    )


def _maximum(graph: _Graph, tensor: str, axis: int) -> str:
    """Append ReduceMax. Its axes are an attribute before opset 18 and an input since."""
    if graph.opset >= 18:
        return graph.one("ReduceMax", tensor, graph.constant([axis], np.int64), keepdims=0)
    return graph.one("ReduceMax", tensor, axes=[axis], keepdims=0)


def _unwarp(graph: _Graph) -> None:
    """Append the output of an unwarping network: its sampling grid, or the flat image in uint8."""
    if _channels(graph.model.graph.output[0]) == GRID_CHANNELS:
        graph.outputs(grid=(graph.output, TensorProto.FLOAT, ["B", GRID_CHANNELS, "grid_h", "grid_w"]))
        return
    scaled = graph.one("Mul", graph.output, graph.constant(255.0))
    limited = graph.one("Clip", scaled, graph.constant(0.0), graph.constant(255.0))
    pixels = graph.one("Cast", limited, to=TensorProto.UINT8)
    unwarped = graph.one("Transpose", pixels, perm=[0, 2, 3, 1])
    graph.outputs(unwarped=(unwarped, TensorProto.UINT8, ["B", "H", "W", 3]))


_TAILS: dict[Role, Callable[[_Graph], None]] = {
    Role.DOC_ORIENTATION: _classify,
    Role.TEXTLINE_ORIENTATION: _classify,
    Role.DOC_UNWARPING: _unwarp,
    Role.TEXT_DETECTION: _detect,
    Role.TEXT_RECOGNITION: _recognise,
}


def _resize_to(graph: _Graph, planes: str, size: list[int]) -> str:
    """Append a bilinear resize without antialiasing, as cv2.resize computes it."""
    batch = _shape(graph, planes, 0, 1)
    sizes = graph.one("Concat", batch, graph.constant([3, *size], np.int64), axis=0)
    return graph.one("Resize", planes, *graph.no_roi_and_scales(), sizes, mode="linear")


def _shape(graph: _Graph, tensor: str, start: int, end: int) -> str:
    whole = graph.one("Shape", tensor)
    return graph.one("Slice", whole, graph.constant([start], np.int64), graph.constant([end], np.int64))
