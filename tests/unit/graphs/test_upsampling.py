"""Transposed convolutions rewritten: the same numbers, and only where they are the same."""

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from tritonocr_backend.graphs.upsampling import replace_upsampling

pytestmark = pytest.mark.usefixtures("home")

RANDOM = np.random.default_rng(0)


def network(
    kernel: tuple[int, int, int, int], *, bias: bool = False, constants: bool = False, **attributes: Any
) -> onnx.ModelProto:
    """One ConvTranspose; its weights as initializers, or as Constant nodes as paddle2onnx writes them."""
    tensors = {"weights": RANDOM.normal(size=kernel).astype(np.float32)}
    if bias:
        tensors["bias"] = RANDOM.normal(size=kernel[1] * attributes.get("group", 1)).astype(np.float32)
    values = [numpy_helper.from_array(value, name) for name, value in tensors.items()]
    nodes = [helper.make_node("Constant", [], [v.name], value=v) for v in values] if constants else []
    nodes.append(helper.make_node("ConvTranspose", ["image", *tensors], ["out"], **attributes))
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["B", kernel[0], "H", "W"])
    out = helper.make_tensor_value_info("out", TensorProto.FLOAT, ["B", "C", "H2", "W2"])
    graph = helper.make_graph(nodes, "network", [image], [out], [] if constants else values)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)


def run(model: onnx.ModelProto, image: NDArray[np.float32]) -> NDArray[np.float32]:
    onnx.checker.check_model(model, full_check=True)
    (out,) = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"image": image})
    return np.asarray(out)


def kinds(model: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node if node.op_type != "Constant"]


@pytest.mark.parametrize(
    ("kernel", "attributes"),
    [
        pytest.param((24, 24, 2, 2), {"strides": [2, 2], "bias": True}, id="detection's first"),
        pytest.param((24, 1, 2, 2), {"strides": [2, 2]}, id="detection's second, its bias apart"),
        pytest.param((4, 3, 3, 3), {"strides": [3, 3], "bias": True, "constants": True}, id="3, Constants"),
        pytest.param((4, 3, 2, 2), {"strides": [2, 2], "pads": [0] * 4, "dilations": [1, 1]}, id="defaults"),
    ],
)
def test_what_only_enlarges_becomes_a_convolution(
    kernel: tuple[int, int, int, int], attributes: dict[str, Any]
) -> None:
    model = network(kernel, **attributes)
    image = RANDOM.normal(size=(2, kernel[0], 5, 7)).astype(np.float32)
    before = run(model, image)
    replace_upsampling(model)
    assert kinds(model) == ["Conv", "DepthToSpace"]
    used = {name for node in model.graph.node for name in node.input}
    assert {tensor.name for tensor in model.graph.initializer} <= used, "unused weights make engines warn"
    np.testing.assert_allclose(run(model, image), before, atol=1e-5)


@pytest.mark.parametrize(
    ("kernel", "attributes"),
    [
        pytest.param((4, 3, 3, 3), {"strides": [2, 2]}, id="outputs that share inputs"),
        pytest.param((4, 3, 2, 2), {}, id="stride 1"),
        pytest.param((4, 3, 2, 3), {"strides": [2, 3]}, id="not square"),
        pytest.param((4, 3, 2, 2), {"strides": [2, 2], "pads": [1, 0, 0, 0]}, id="cut at the edge"),
        pytest.param((4, 3, 2, 2), {"strides": [2, 2], "output_padding": [1, 1]}, id="longer at the edge"),
        pytest.param((4, 3, 2, 2), {"strides": [2, 2], "group": 2}, id="groups"),
        pytest.param((4, 3, 2, 2), {"strides": [2, 2], "auto_pad": "SAME_UPPER"}, id="padding of its own"),
    ],
)
def test_everything_else_stays_as_it_is(
    kernel: tuple[int, int, int, int], attributes: dict[str, Any]
) -> None:
    model = network(kernel, **attributes)
    replace_upsampling(model)
    assert kinds(model) == ["ConvTranspose"]
