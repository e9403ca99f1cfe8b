"""Conversion to float16: batch normalisation is folded, and CUDA's missing operators stay in float32."""

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from tritonocr_backend.graphs.half_precision import halve
from tritonocr_backend.zoo.errors import ModelFormatError

pytestmark = pytest.mark.usefixtures("home")

RANDOM = np.random.default_rng(3)
CHANNELS = 4


def network(*, as_constants: bool = False, bias: bool = True, opset: int = 12) -> onnx.ModelProto:
    """Return Conv, BatchNormalization with variances beyond float16, and Clip to [0, 6]."""
    tensors = {
        "weights": RANDOM.normal(size=(CHANNELS, 3, 3, 3)) * 1000,
        "scale": RANDOM.uniform(1, 2, CHANNELS),
        "shift": RANDOM.normal(size=CHANNELS),
        "mean": RANDOM.normal(size=CHANNELS),
        "variance": np.array([4e6, 1e5, 7e4, 1e6]),
        "low": np.array(0.0),
        "high": np.array(6.0),
        **({"bias": RANDOM.normal(size=CHANNELS)} if bias else {}),
    }
    values = [numpy_helper.from_array(value.astype(np.float32), name) for name, value in tensors.items()]
    nodes = [helper.make_node("Constant", [], [v.name], value=v) for v in values] if as_constants else []
    nodes += [
        helper.make_node("Conv", ["x", "weights", *(["bias"] if bias else [])], ["conv"]),
        helper.make_node("BatchNormalization", ["conv", "scale", "shift", "mean", "variance"], ["norm"]),
        helper.make_node("Clip", ["norm", "low", "high"], ["y"]),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["B", 3, "H", "W"])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["B", CHANNELS, "H2", "W2"])
    graph = helper.make_graph(nodes, "network", [x], [y], [] if as_constants else values)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=7)


def run(model: onnx.ModelProto, x: NDArray[np.float32]) -> NDArray[np.float32]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"x": x})[0])


@pytest.mark.parametrize(
    ("as_constants", "bias"),
    [
        pytest.param(False, True, id="weights as initializers"),
        pytest.param(True, True, id="weights as Constant nodes, as paddle2onnx writes them"),
        pytest.param(False, False, id="convolution without bias"),
    ],
)
def test_batch_normalisation_after_a_convolution_is_folded(as_constants: bool, bias: bool) -> None:
    model = network(as_constants=as_constants, bias=bias)
    x = RANDOM.uniform(0, 1, (2, 3, 8, 9)).astype(np.float32)
    expected = run(model, x)
    half = halve(model)
    kinds = [node.op_type for node in half.graph.node]
    assert "BatchNormalization" not in kinds
    assert kinds.count("Cast") == 2, "only the input and the output are cast"
    assert list(half.opset_import) == list(model.opset_import)
    assert ((expected > 0) & (expected < 6)).mean() > 0.1, "some values are not clipped"
    np.testing.assert_allclose(run(half, x), expected, atol=2e-2)


@pytest.mark.parametrize(
    ("opset", "element_type"),
    [
        pytest.param(11, TensorProto.FLOAT, id="CUDA has no float16 Clip before opset 12"),
        pytest.param(12, TensorProto.FLOAT16, id="the first opset with a float16 Clip"),
        pytest.param(14, TensorProto.FLOAT16, id="PP-OCRv5"),
    ],
)
def test_clip_is_in_a_type_that_cuda_has(opset: int, element_type: int) -> None:
    half = halve(network(opset=opset))
    (clip,) = (node for node in half.graph.node if node.op_type == "Clip")
    limits = {tensor.name: tensor.data_type for tensor in half.graph.initializer}
    assert {limits[name] for name in clip.input[1:]} == {element_type}
    assert run(half, np.zeros((1, 3, 4, 4), np.float32)).dtype == np.float32


def test_a_network_that_onnx_runtime_cannot_load_is_rejected() -> None:
    model = network()
    model.graph.node[0].op_type = "NoSuchOperator"
    with pytest.raises(ModelFormatError, match="ONNX Runtime cannot load the network"):
        halve(model)
