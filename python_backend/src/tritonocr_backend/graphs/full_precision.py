"""Convert a network whose weights are float16 to float32.

UVDoc's official file holds float16 weights. CPUs compute with them in float32, but CUDA and TensorRT compute
in float16, which shifts the sampling grid by up to 1 px on an A4 page at 600 dpi.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

_HALF, _FULL = TensorProto.FLOAT16, TensorProto.FLOAT


def widen(model: onnx.ModelProto) -> None:
    """Change in place every float16 weight, constant, cast, input and output to float32."""
    graph = model.graph
    for tensor in _tensors(graph):
        if tensor.data_type == _HALF:
            wide = numpy_helper.to_array(tensor).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(wide, tensor.name))
    for node in graph.node:
        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i == _HALF:
                attribute.i = _FULL
    for value in (*graph.input, *graph.output, *graph.value_info):
        if value.type.tensor_type.elem_type == _HALF:
            value.type.tensor_type.elem_type = _FULL


def _tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    """Yield the weights of a graph and the tensors in its nodes' attributes."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.TENSOR:
                yield attribute.t
