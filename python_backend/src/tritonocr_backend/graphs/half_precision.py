"""A network in half precision: weights and arithmetic in float16, its own input and output in float32."""

from __future__ import annotations

import onnx
from onnxruntime.transformers.float16 import DEFAULT_OP_BLOCK_LIST, convert_float_to_float16

# Variances in PP-OCRv4_mobile_det's head are beyond float16's 65504: cut down to that, 3 % of a
# page's pixels change sides of the threshold.
_KEPT_OPERATORS = (*DEFAULT_OP_BLOCK_LIST, "BatchNormalization")
_SMALLEST, _LARGEST = 5.96e-8, 65504.0


def halve(model: onnx.ModelProto) -> onnx.ModelProto:
    """The network in float16, by ONNX Runtime's converter; `model` is used up."""
    _lift_constants(model.graph)
    return convert_float_to_float16(
        model,
        min_positive_val=_SMALLEST,
        max_finite_val=_LARGEST,
        keep_io_types=True,
        op_block_list=list(_KEPT_OPERATORS),
    )


def _lift_constants(graph: onnx.GraphProto) -> None:
    """Make constants initializers: the converter spares those of kept operators, but converts every node."""
    nodes = []
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            tensor = graph.initializer.add()
            tensor.CopyFrom(node.attribute[0].t)
            tensor.name = node.output[0]
        else:
            nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)
