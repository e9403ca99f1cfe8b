"""Small real ONNX networks with the signature of each role, in any opset and with any names."""

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from tritonocr_backend.core.contracts import Role

CLASSES = {Role.DOC_ORIENTATION: 4, Role.TEXTLINE_ORIENTATION: 2, Role.TEXT_RECOGNITION: 7}
GRID_INPUT = (24, 16)  # height, width that the grid network wants
GRID = (6, 4)  # height, width of the grid


def network(
    role: Role, *, opset: int = 17, input_name: str = "x", output_name: str = "y", inner_name: str = "planes"
) -> onnx.ModelProto:
    """A network of a role that depends on every channel and on where things are.

    Args:
        role: what it pretends to do; for unwarping, image in and image out.
        opset: ONNX operator set.
        input_name: name of its float image input.
        output_name: name of its output.
        inner_name: name of a tensor between.
    """
    node = helper.make_node
    if role is Role.TEXT_RECOGNITION:
        classes = CLASSES[role]
        nodes = [
            node("AveragePool", [input_name], ["cells"], kernel_shape=[48, 8], strides=[48, 8]),
            node("Conv", ["cells", "weight"], [inner_name]),
            node("Reshape", [inner_name, "shape"], ["rows"]),
            node("Transpose", ["rows"], ["columns"], perm=[0, 2, 1]),
            node("Softmax", ["columns"], [output_name], axis=2),
        ]
        weights = {"weight": _weights(classes, 3, 1, 1), "shape": np.array([0, classes, -1], np.int64)}
        return _model(nodes, weights, opset, (input_name, [48, "W"]), (output_name, ["B", "T", classes]))
    if role is Role.TEXT_DETECTION:
        nodes = [
            node("Conv", [input_name, "weight"], [inner_name], pads=[1, 1, 1, 1]),
            node("Sigmoid", [inner_name], [output_name]),
        ]
        shape = ["B", 1, "H", "W"]
        return _model(
            nodes, {"weight": _weights(1, 3, 3, 3)}, opset, (input_name, ["H", "W"]), (output_name, shape)
        )
    if role is Role.DOC_UNWARPING:
        nodes = [
            node("Conv", [input_name, "weight"], [inner_name], pads=[1, 1, 1, 1]),
            node("Identity", [inner_name], [output_name]),
        ]
        shape = ["B", 3, "H", "W"]
        return _model(
            nodes, {"weight": _weights(3, 3, 3, 3)}, opset, (input_name, ["H", "W"]), (output_name, shape)
        )
    nodes = [
        node("Conv", [input_name, "weight"], [inner_name], strides=[2, 2]),
        node("Relu", [inner_name], ["active"]),
        node("GlobalAveragePool", ["active"], ["means"]),
        node("Flatten", ["means"], ["rows"]),
        node("Softmax", ["rows"], [output_name], axis=1),
    ]
    weights = {"weight": _weights(CLASSES[role], 3, 3, 3)}
    return _model(nodes, weights, opset, (input_name, ["H", "W"]), (output_name, ["B", CLASSES[role]]))


def grid_network(*, opset: int = 17, element_type: int = TensorProto.FLOAT) -> onnx.ModelProto:
    """As the paper's UVDoc: an image of a fixed size in, a coarse sampling grid in -1..1 out."""
    dtype = np.float16 if element_type == TensorProto.FLOAT16 else np.float32
    y, x = np.meshgrid(np.linspace(-1, 1, GRID[0]), np.linspace(-1, 1, GRID[1]), indexing="ij")
    nodes = [
        helper.make_node("AveragePool", ["x"], ["cells"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Conv", ["cells", "weight"], ["shift"]),
        helper.make_node("Add", ["shift", "straight"], ["y"]),
    ]
    weights = {
        "weight": (0.1 * _weights(2, 3, 1, 1)).astype(dtype),
        "straight": np.stack([x, y])[np.newaxis].astype(dtype),
    }
    shape = ["B", 2, *GRID]
    return _model(nodes, weights, opset, ("x", list(GRID_INPUT)), ("y", shape), element_type)


def _weights(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def _model(
    nodes: Sequence[onnx.NodeProto],
    weights: Mapping[str, NDArray[np.generic]],
    opset: int,
    source: tuple[str, list[int | str]],
    target: tuple[str, list[int | str]],
    element_type: int = TensorProto.FLOAT,
) -> onnx.ModelProto:
    graph = helper.make_graph(
        list(nodes),
        "network",
        [helper.make_tensor_value_info(source[0], element_type, ["B", 3, *source[1]])],
        [helper.make_tensor_value_info(target[0], element_type, target[1])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=7)
    onnx.checker.check_model(model)
    return model
