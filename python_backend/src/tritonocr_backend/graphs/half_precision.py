"""Convert a network to float16."""

from __future__ import annotations

import onnx
from onnxruntime.transformers.float16 import DEFAULT_OP_BLOCK_LIST, convert_float_to_float16

# Some variances in PP-OCRv4_mobile_det's head exceed float16's maximum of 65504. Clipped to that value, they
# move 3 % of a page's pixels across the detection threshold.
_KEPT_OPERATORS = (*DEFAULT_OP_BLOCK_LIST, "BatchNormalization")
_SMALLEST, _LARGEST = 5.96e-8, 65504.0


def halve(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the network in float16, with float32 input and output. `model` is modified.

    The conversion is ONNX Runtime's.
    """
    _lift_constants(model.graph)
    return convert_float_to_float16(
        model,
        min_positive_val=_SMALLEST,
        max_finite_val=_LARGEST,
        keep_io_types=True,
        op_block_list=list(_KEPT_OPERATORS),
    )


def _lift_constants(graph: onnx.GraphProto) -> None:
    """Turn Constant nodes into initializers.

    The converter leaves initializers of kept operators in float32, but converts every Constant node.
    """
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
